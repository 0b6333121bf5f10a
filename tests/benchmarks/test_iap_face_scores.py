import json

from benchmarks.iap_face_scores import rows
from tests.fixtures.iap_scores import write_iap_results


def test_every_target_has_a_row_and_a_bound_that_can_be_missed(tmp_path):
    def found() -> dict[str, dict]:
        return {
            file.stem: json.loads(file.read_text())["results"] for file in (tmp_path / "scores/iap_face").glob("*.json")
        }

    write_iap_results(tmp_path)
    shown = {row.name: row for row in rows(found())}
    white = {name for name, each in found().items() if each.get("white_box")}
    assert {f"bit accuracy, manipulated:{name}" for name in white} < shown.keys()
    assert {f"protection rate, {name}" for name in found() if name != "message"} < shown.keys()
    assert {"bit accuracy, protected", "bit accuracy, distorted:jpeg_75", "bit accuracy, unprotected"} < shown.keys()
    assert {"watermark then pgd", "pgd then watermark"} < shown.keys()
    weak = found()
    weak["message"]["bit_accuracy"]["protected"]["iap"]["value"] = 0.98
    weak["message"]["unprotected"]["value"] = 0.54
    for name in white:
        ours, pgd = (weak[name]["protection"][method]["protection_rate"] for method in ("iap", "pgd"))
        ours["value"] = pgd["value"] - 0.11
    missed = {row.name for row in rows(weak) if not row.holds}
    expected = {"bit accuracy, protected", "bit accuracy, unprotected"} | {f"protection rate, {name}" for name in white}
    assert expected <= missed
