"""Write a trained part: its adapters, and the chat model with them merged, in eight bits for the server."""

from pathlib import Path

import torch

from gauntlet.models.gguf_names import gguf_tensors
from gauntlet.readers.gguf import read_gguf
from gauntlet.training.chat.lora import Adapted
from stages.files import write_json
from stages.s_eval.gguf import write_q8_0


def write_merged(folder: Path, adapted: Adapted, chat_model: Path, *, history: list[dict]) -> None:
    """Write adapter/, model.gguf and history.json.

    Args:
        folder: Made here.
        adapted: The trained model; its adapters are merged into it, it cannot be trained on.
        chat_model: The folder that it comes from, whose metadata the file takes over.
        history: One record an epoch.
    """
    folder.mkdir(parents=True)
    adapter = folder / "adapter"
    adapted.peft.peft_config["default"].base_model_name_or_path = chat_model.name
    # Without being told, peft asks the network whether the vocabulary has changed.
    adapted.peft.save_pretrained(adapter, save_embedding_layers=False)
    (adapter / "README.md").unlink(missing_ok=True)
    # The sum is rounded once, to eight bits, and not to bfloat16 before.
    model = adapted.peft.float().merge_and_unload()
    with torch.no_grad():
        tensors = gguf_tensors(model.state_dict(), model.config.to_dict())
    fields = read_gguf(chat_model / "model.gguf").fields
    write_q8_0(folder / "model.gguf", fields, {name: weight.cpu().numpy() for name, weight in tensors.items()})
    write_json(folder / "history.json", history)
