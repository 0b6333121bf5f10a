"""Spectrograms: a clip as a small picture, loudness over time and frequency, on a scale that a row of clips shares."""

import base64
import io

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

WINDOW_S, HOP_S = 0.025, 0.005
RANGE_DB = 70.0
"""Quieter than the loudest sound of the row by this much is not drawn."""
WIDTH_PX, HEIGHT_PX = 360, 112
INK = ((244, 244, 242), (176, 199, 222), (74, 130, 188), (19, 66, 120), (10, 22, 40))
"""Colours from silence to the loudest sound: ink on the light ground of all pictures of the page."""
SHADES = 48
"""Fewer shades than a byte holds make the file smaller by half; the eye tells no more apart."""
FLOOR = 1e-10
"""Power added before the logarithm, so that digital silence has a level."""


def levels_db(waveform: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """Return the level of each frequency over time.

    Args:
        waveform: Samples in [-1, 1], [T].
        sample_rate: In Hz.

    Returns:
        Float64 [frequencies, frames] in dB, from 0 Hz to half the sample rate; a full-scale sine has about 0 dB in its
        own frequency.
    """
    window, hop = round(WINDOW_S * sample_rate), round(HOP_S * sample_rate)
    taper = np.hanning(window)
    padded = np.pad(np.asarray(waveform, np.float64), (window // 2, window - window // 2))
    frames = sliding_window_view(padded, window)[::hop]
    magnitude = np.abs(np.fft.rfft(frames * taper, axis=1)) * 2 / taper.sum()
    return 10 * np.log10(magnitude**2 + FLOOR).T


def draw(levels: np.ndarray, *, loudest_db: float, share: float) -> Image.Image:
    """Draw levels as a picture of fixed size, high frequencies at the top.

    Args:
        levels: From `levels_db`, [frequencies, frames].
        loudest_db: What gets the darkest colour.
        share: Of the picture's width that the clip takes, in (0, 1]; the rest stays empty, so that clips of different
            lengths stand below the same axis.

    Returns:
        A picture with a palette of `SHADES` colours.
    """
    drawn = np.clip((levels[::-1] - loudest_db) / RANGE_DB + 1, 0, 1)
    width = min(max(round(share * WIDTH_PX), 1), WIDTH_PX)
    small = Image.fromarray(drawn.astype(np.float32)).resize((width, HEIGHT_PX), Image.Resampling.BOX)
    shades = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    shades[:, :width] = np.rint(np.asarray(small) * (SHADES - 1))
    picture = Image.frombytes("P", (WIDTH_PX, HEIGHT_PX), shades.tobytes())
    picture.putpalette(_palette())
    return picture


def _palette() -> list[int]:
    places = np.linspace(0, len(INK) - 1, SHADES)
    channels = [np.interp(places, range(len(INK)), channel) for channel in np.array(INK).T]
    return np.rint(np.stack(channels, axis=1)).astype(int).ravel().tolist()


def png_uri(picture: Image.Image) -> str:
    """Return a `data:` URI of a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
