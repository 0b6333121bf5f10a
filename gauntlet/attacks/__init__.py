"""Attacks: (model, x, y, *, eps, alpha, steps, norm, generator) -> x_adv, on models that take pixels in [0, 1].

Every attack takes these, and its own docstring tells what differs:

    model: Pixels in [0, 1] to logits, in eval mode; neither its mode nor its weights' gradients change.
    x: float32, B x C x H x W in [0, 1], where the model is.
    y: int64 [B].
    eps: Radius on [0, 1]; a number or [B].
    norm: "linf", "l2" or "l1".
    batch, at_once: Rows of a forward pass, at least 1: a limit of memory that changes the speed alone. A batch of None
        takes `gauntlet.attacks.standing.ROWS` of the device.
    generator: On the CPU; one number is drawn from it. An attack without chance takes one, too, and leaves it alone.

Every attack returns x_adv: float32 like x, detached, inside the ball and the box. Images that the model gets wrong come
back as they are, except from attacks that are made to transfer.

Every attack raises ArgumentError for input or logits that no attack can use, and for a setting outside its range.

Recognisers of speech have attacks of their own: `features` (PGD on features and waveforms) and `transaudio`.
"""
