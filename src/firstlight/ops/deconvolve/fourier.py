"""Deconvolution in the frequency domain: Wiener and split Bregman."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.ops.deconvolve.blur import Blur

LEARNT = 512
"""Side of the square in the middle of the picture from which the balance is learnt, px."""
BREGMAN_WEIGHT = 0.25
"""Of the total variation against chi^2 / 2, in units of the noise: found on scenes with known truth."""
COUPLING = 0.1
"""Of gradients to their split-off copies: with 1, stars of 1000 sigma need hundreds of iterations, with 0.1 thirty."""


@dataclass(frozen=True, eq=False)
class _Padded:
    """A plane mirrored beyond its edges, and the transfer functions for its size."""

    plane: np.ndarray
    top: int
    left: int
    shape: tuple[int, int]
    transfer: np.ndarray
    """complex64, of the blur."""

    @classmethod
    def of(cls, plane: np.ndarray, blur: Blur) -> _Padded:
        from scipy.fft import next_fast_len

        pads = []
        for n in plane.shape:
            before = min(2 * blur.half, n - 1)
            after = min(next_fast_len(n + 2 * before, real=True) - n - before, n - 1)
            pads.append((before, max(after, 0)))
        padded = np.pad(plane, pads, mode="reflect")
        return cls(padded, pads[0][0], pads[1][0], plane.shape, _transfer(blur.kernel, padded.shape))

    def cut(self, plane: np.ndarray) -> np.ndarray:
        height, width = self.shape
        part = plane[self.top : self.top + height, self.left : self.left + width]
        return np.ascontiguousarray(part, np.float32)


def wiener(plane: np.ndarray, blur: Blur, balance: float) -> np.ndarray:
    """Least squares with a penalty on the Laplacian: ``conj(H) / (|H|^2 + balance |L|^2)`` (Hunt 1973).

    >>> x = np.arange(-6, 7); bell = np.exp(-0.5 * (x / 1.3) ** 2); blur = Blur.of(np.outer(bell, bell))
    >>> spike = np.zeros((31, 31), np.float32); spike[15, 15] = 100
    >>> bool(wiener(blur(spike), blur, 1e-4).max() > 2 * blur(spike).max())
    True
    """
    from scipy.fft import irfft2, rfft2

    padded = _Padded.of(plane, blur)
    laplacian = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float64)
    power = np.abs(padded.transfer) ** 2 + np.float32(balance) * np.abs(_transfer(laplacian, padded.plane.shape)) ** 2
    spectrum = rfft2(padded.plane)
    spectrum *= np.conj(padded.transfer) / np.maximum(power, np.float32(1e-12))
    return padded.cut(irfft2(spectrum, s=padded.plane.shape))


def learnt_balance(plane: np.ndarray, blur: Blur, seed: int = 1) -> float:
    """Balance for `wiener` that the picture itself asks for, from its middle (Orieux et al. 2010, by scikit-image)."""
    from skimage.restoration import unsupervised_wiener

    height, width = plane.shape
    side = min(LEARNT, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = plane[top : top + side, left : left + side].astype(np.float64)
    if side <= blur.kernel.shape[0] or np.ptp(middle) == 0:
        return 0.05
    scale = np.ptp(middle)
    _, chains = unsupervised_wiener(middle / scale, blur.kernel, rng=seed, clip=False)
    noise, prior = (float(np.mean(chains[name])) for name in ("noise", "prior"))
    return float(np.clip(prior / max(noise, 1e-30), 1e-6, 1000))


def split_bregman(plane: np.ndarray, blur: Blur, sigma: float, iterations: int) -> np.ndarray:
    """Least total variation among the pictures that, blurred, agree with the data (Goldstein & Osher 2009).

    ``sigma``: noise of a pixel; differences are weighted by it, gradients too.
    """
    from scipy.fft import irfft2, rfft2

    padded = _Padded.of(plane, blur)
    shape = padded.plane.shape
    fidelity, coupling = np.float32(1.0 / BREGMAN_WEIGHT), np.float32(COUPLING)
    scale = np.float32(1.0 / max(sigma, 1e-30))
    data = padded.plane * scale
    across, down = _transfer(np.array([[1.0, -1.0, 0.0]]), shape), _transfer(np.array([[1.0], [-1.0], [0.0]]), shape)
    start = fidelity * np.conj(padded.transfer) * rfft2(data)
    power = fidelity * np.abs(padded.transfer) ** 2 + coupling * (np.abs(across) ** 2 + np.abs(down) ** 2)
    power = np.maximum(power, np.float32(1e-12))
    slack = [np.zeros(shape, np.float32), np.zeros(shape, np.float32)]
    split = [np.zeros(shape, np.float32), np.zeros(shape, np.float32)]
    picture = data
    for _ in range(iterations):
        spectrum = start.copy()
        for operator, d, b in zip((across, down), split, slack):
            spectrum += coupling * np.conj(operator) * rfft2(d - b)
        spectrum /= power
        picture = irfft2(spectrum, s=shape)
        moved = [irfft2(operator * spectrum, s=shape) + b for operator, b in zip((across, down), slack)]
        length = np.hypot(*moved)
        share = np.maximum(length - 1 / coupling, 0) / np.maximum(length, np.float32(1e-12))
        split = [share * each for each in moved]
        slack = [each - d for each, d in zip(moved, split)]
    return padded.cut(picture / scale)


def _transfer(kernel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Transfer function of a kernel whose middle is its origin, for a plane of this shape; complex64."""
    from scipy.fft import rfft2

    field = np.zeros(shape, np.float32)
    height, width = kernel.shape
    ys = (np.arange(height) - height // 2) % shape[0]
    xs = (np.arange(width) - width // 2) % shape[1]
    np.add.at(field, (ys[:, None], xs[None, :]), kernel.astype(np.float32))
    return rfft2(field)
