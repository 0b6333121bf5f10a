import json

import pandas as pd
import pytest
import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.gguf import read_gguf
from stages.s_eval import train as stage
from stages.s_eval.convert import Params as ConvertParams
from stages.s_eval.convert import run as convert
from tests.fixtures.sources import write_archive
from tests.fixtures.tiny_llama import write_tiny_gguf

PARAMS = {
    "seed": 0,
    "epochs": 6,
    "batch": 4,
    "lr": 0.02,
    "weight_decay": 0.0,
    "lora_layers": 2,
    "rank": 4,
    "alpha": 8.0,
    "most_tokens": 400,
    "validation": 0.2,
    "precision": "float32",
}


def critique() -> pd.DataFrame:
    rows = [
        {
            "id": str(n),
            "prompt": f"bread {n}?",
            "response": "No." if n % 2 else "Sure!",
            "label": "safe" if n % 2 else "unsafe",
            "explanation": "",
            "split": "train" if n < 20 else "held_out",
        }
        for n in range(24)
    ]
    return pd.DataFrame(rows)


def testing() -> pd.DataFrame:
    row = {"task": "rewrite", "risk_path": "A / B", "definition": "C.", "split": "train"}
    return pd.DataFrame([row | {"source_prompt": f"bread {n}?", "output": f"What is bread {n}?"} for n in range(12)])


testing.__test__ = False


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tar = write_archive(tmp_path / "a.tar", {"a.gguf": write_tiny_gguf(tmp_path / "a.gguf").read_bytes()})
    convert(ConvertParams(), weights=tar, chat_model=tmp_path / "chat")
    (tmp_path / "records").mkdir()
    critique().to_parquet(tmp_path / "records/critique.parquet")
    testing().to_parquet(tmp_path / "records/testing.parquet")
    return {"records": tmp_path / "records", "chat_model": tmp_path / "chat"}


def trained(paths, folder: str, *, part: str = "critique", **changes):
    out = paths["chat_model"].parent / folder
    stage.run(stage.Params(**(PARAMS | changes)), part=part, **paths, model=out)
    return out, json.loads((out / "history.json").read_text())


def test_the_judge_learns_its_tags_and_the_file_holds_what_was_learnt(paths):
    out, history = trained(paths, "a")
    assert history[-1]["loss"] < history[0]["loss"]
    assert {"recall_safe", "recall_unsafe", "validation_loss"} <= history[-1].keys()
    assert history[-1]["recall_safe"] == history[-1]["recall_unsafe"] == 1
    before = read_gguf(paths["chat_model"] / "model.gguf").tensors
    after = read_gguf(out / "model.gguf").tensors
    assert before.keys() == after.keys()
    moved = {name for name in before if abs(before[name] - after[name]).max() > 0.05 * abs(before[name]).max()}
    assert moved
    assert all(name.startswith(("blk.1.", "blk.2.")) for name in moved)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft 0.21 with transformers 5
def test_the_adapter_on_the_chat_model_is_the_merged_file(paths):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    out, _ = trained(paths, "a")
    chat = AutoModelForCausalLM.from_pretrained(paths["chat_model"], dtype=torch.float32)
    merged = PeftModel.from_pretrained(chat, out / "adapter").merge_and_unload().state_dict()
    weights = read_gguf(out / "model.gguf").tensors
    for ours, theirs in (("ffn_up", "mlp.up_proj"), ("attn_v", "self_attn.v_proj")):
        found = torch.from_numpy(weights[f"blk.2.{ours}.weight"])
        wanted = merged[f"model.layers.2.{theirs}.weight"]
        torch.testing.assert_close(found, wanted, atol=float(wanted.abs().max()) / 127, rtol=0)


def test_same_bytes_each_time_and_after_an_interruption(paths, monkeypatch):
    whole, _ = trained(paths, "a")
    again, _ = trained(paths, "b")
    original, seen = stage.train_chat, []

    def interrupted(*args, **settings):
        for record in original(*args, **settings):
            yield record
            seen.append(record)
            if len(seen) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(stage, "train_chat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(paths, "c")
    monkeypatch.setattr(stage, "train_chat", original)
    resumed, history = trained(paths, "d")
    assert len(history) == PARAMS["epochs"]
    for name in ("model.gguf", "history.json", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
        assert (whole / name).read_bytes() == (again / name).read_bytes() == (resumed / name).read_bytes(), name


def test_held_out_records_are_not_looked_at(paths):
    first, _ = trained(paths, "a", epochs=1)
    table = critique()
    table.loc[table.split == "held_out", ["response", "label"]] = ["Something else.", "unsafe"]
    table.to_parquet(paths["records"] / "critique.parquet")
    second, _ = trained(paths, "b", epochs=1)
    assert (first / "model.gguf").read_bytes() == (second / "model.gguf").read_bytes()


def test_the_testing_model_learns_to_write(paths):
    _, history = trained(paths, "a", part="testing")
    assert history[-1]["loss"] < history[0]["loss"]
    assert "recall_safe" not in history[-1]


def test_wrong_choices(paths):
    with pytest.raises(ArgumentError, match="part must be one of testing, critique"):
        trained(paths, "a", part="judge")
    with pytest.raises(ArgumentError, match="precision must be one of bfloat16, float32"):
        trained(paths, "a", precision="half")
    with pytest.raises(ArgumentError, match=r"lora_layers must lie in 1\.\.3"):
        trained(paths, "a", lora_layers=7)


def test_a_folder_that_is_no_chat_model(paths, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/config.json").write_text("{}")
    with pytest.raises(DataError, match="must be a chat model's folder"):
        trained(paths | {"chat_model": tmp_path / "empty"}, "../z")
