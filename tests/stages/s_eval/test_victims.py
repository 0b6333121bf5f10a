import json

import numpy as np
import pytest
from gguf import GGUFWriter, LlamaFileType

from stages.s_eval.victims import about_victim


@pytest.fixture
def chat_model(tmp_path):
    folder = tmp_path / "chat_model"
    folder.mkdir()
    writer = GGUFWriter(folder / "model.gguf", "llama")
    writer.add_name("Tiny")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_tensor("one", np.zeros((4, 8), np.float32))
    writer.add_tensor("two", np.zeros(3, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder


def answers(tmp_path, **victim):
    folder = tmp_path / "smollm2"
    folder.mkdir()
    (folder / "counts.json").write_text(json.dumps({"victim": victim}))
    return folder


def test_the_embedded_model_is_described_by_its_file(tmp_path, chat_model):
    found = about_victim(answers(tmp_path, kind="embedded", system_prompt=True), chat_model=chat_model)
    assert found == {"name": "Tiny", "parameters": 35, "quantisation": "Q8_0", "system_prompt": True}


def test_another_is_described_by_what_was_said(tmp_path, chat_model):
    found = about_victim(answers(tmp_path, kind="endpoint", name="far-1"), chat_model=chat_model)
    assert found == {"name": "far-1", "parameters": None, "quantisation": None, "system_prompt": False}
