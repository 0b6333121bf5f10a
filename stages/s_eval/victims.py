"""What is known of a victim beside its answers: name, size, quantisation, system prompt."""

import json
from pathlib import Path


def about_victim(folder: Path, *, chat_model: Path) -> dict[str, object]:
    """Describe a victim by what its answers' counts say and, if it is the embedded model, by the model's own file.

    Args:
        folder: Its answers; `counts.json` may hold `victim` with kind, name, system_prompt and parameters.
        chat_model: The embedded model.

    Returns:
        {"name", "parameters", "quantisation", "system_prompt"}; None for what is not known.
    """
    file = folder / "counts.json"
    said = json.loads(file.read_text()).get("victim", {}) if file.exists() else {}
    found = {"name": said.get("name") or folder.name, "parameters": said.get("parameters"), "quantisation": None}
    if said.get("kind", "embedded") == "embedded" and (chat_model / "model.gguf").exists():
        found |= _of_gguf(chat_model / "model.gguf")
    return found | {"system_prompt": bool(said.get("system_prompt", False))}


def _of_gguf(file: Path) -> dict[str, object]:
    """Read the header alone."""
    from gguf import GGUFReader, LlamaFileType

    reader = GGUFReader(file)
    fields = {
        name: reader.fields[name].contents() for name in ("general.name", "general.file_type") if name in reader.fields
    }
    found: dict[str, object] = {"parameters": int(sum(int(tensor.n_elements) for tensor in reader.tensors))}
    if "general.name" in fields:
        found["name"] = fields["general.name"]
    if "general.file_type" in fields:
        found["quantisation"] = LlamaFileType(fields["general.file_type"]).name.removeprefix("MOSTLY_")
    return found
