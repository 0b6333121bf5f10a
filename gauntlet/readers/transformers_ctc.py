"""wav2vec 2.0, HuBERT and their kin from a folder in transformers' layout."""

from pathlib import Path

from gauntlet.errors import DataError
from gauntlet.models.alphabet import LETTERS
from gauntlet.models.transformers_ctc import TransformersCtc
from gauntlet.readers.recognizers import read_json


def read_transformers_ctc(folder: Path) -> TransformersCtc:
    """Read a CTC recogniser of letters.

    Args:
        folder: config.json, weights, vocab.json (letters of either case, "|" between words) and, where the model wants
            normalised waveforms, preprocessor_config.json.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: The folder is incomplete, of another family, or its vocabulary lacks a letter.
    """
    from transformers import AutoModelForCTC

    vocabulary = {token.lower(): column for token, column in read_json(folder / "vocab.json").items()}
    columns = {letter: vocabulary.get("|" if letter == " " else letter) for letter in LETTERS}
    if missing := [letter for letter, column in columns.items() if column is None]:
        raise DataError(f"{folder / 'vocab.json'} must hold all letters; {missing[0]!r} is missing; no English model?")
    preprocessor = folder / "preprocessor_config.json"
    normalized = read_json(preprocessor).get("do_normalize", True) if preprocessor.exists() else False
    try:
        model = AutoModelForCTC.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} must hold a CTC model; {str(error).splitlines()[0]}; an interrupted copy?") from None
    blank = model.config.pad_token_id
    return TransformersCtc(model, columns=columns, blank=blank, normalized=normalized).eval()
