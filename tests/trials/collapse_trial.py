# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Do the published settings of the swap loss keep the latents apart? ``python tests/trials/collapse_trial.py``.

It takes minutes. A hidden state of 8 numbers drifts; 72 noisy values show it, three of its numbers are the velocity. An
encoder of six frames and one of the next frame learn by HIM's equations, in HIMLoco's sizes (docs/algorithm.md has the
results).
The loss is written here once more from the equations; ``--ours`` takes the package's instead.
"""

from __future__ import annotations

import argparse

import torch
from torch.nn import functional

from himloco_rl.losses import entropy, prototype_perplexity, swap_loss
from himloco_rl.models import HIMEstimator

BATCH, STATE, FRAME, FRAMES, LATENT, PROTOTYPES = 512, 8, 72, 6, 16, 32


class Drift:
    """Draws histories of the hidden state's observations."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.mixing = 0.18 * self.normal(STATE, FRAME)
        self.offset = self.normal(FRAME)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """History [B, 6 · 72], next frame with the velocity [B, 75], velocity [B, 3]."""
        state, frames = self.normal(BATCH, STATE), []
        for _ in range(FRAMES + 1):
            state = 0.9 * state + 0.436 * self.normal(BATCH, STATE)  # keeps its variance of 1
            frames.append(torch.tanh(state @ self.mixing) + self.offset)
        history = torch.stack(frames[:-1], dim=1) + 0.05 * self.normal(BATCH, FRAMES, FRAME)
        velocity = 0.8 * state[:, :3]
        return history.flatten(1), torch.cat((frames[-1], velocity), dim=1), velocity


def codes(scores: torch.Tensor, iterations: int) -> torch.Tensor:
    """Sinkhorn of the public codes, epsilon 0.05."""
    with torch.no_grad():
        q = torch.exp(scores / 0.05).T
        q /= q.sum()
        for _ in range(iterations):
            q /= q.sum(dim=1, keepdim=True) * q.shape[0]
            q /= q.sum(dim=0, keepdim=True) * q.shape[1]
        return (q * q.shape[1]).T


def swap(
    source: torch.Tensor, target: torch.Tensor, prototypes: torch.Tensor, tau: float, iterations: int
) -> torch.Tensor:
    """−½ mean over samples and prototypes of q_s log p_t + q_t log p_s."""
    s, t = source @ prototypes.T, target @ prototypes.T
    log_p_s, log_p_t = functional.log_softmax(s / tau, dim=1), functional.log_softmax(t / tau, dim=1)
    return -0.5 * (codes(s, iterations) * log_p_t + codes(t, iterations) * log_p_s).mean()


def mean_cosine(latents: torch.Tensor) -> float:
    """Of all pairs of different samples: 0 for latents all around the sphere, 1 for one and the same."""
    count = len(latents)
    return float(((latents @ latents.T).sum() - count) / (count * (count - 1)))


def trial(seed: int, tau: float, iterations: int, steps: int, ours: bool) -> None:
    """Learn, and print how the latents lie now and then."""
    torch.manual_seed(seed)
    data = Drift(seed)
    net = HIMEstimator(FRAMES * FRAME, FRAME + 3, (128, 64), LATENT, PROTOTYPES)
    optimizer = torch.optim.Adam(net.parameters(), lr=1.0e-3)
    for step in range(steps + 1):
        history, frame, velocity = data.draw()
        net.normalize_prototypes()
        estimate, source = net(history)
        target = net.encode_target(frame)
        if ours:
            loss = swap_loss(source, target, net.prototypes, tau, iterations=iterations)[0]
        else:
            loss = swap(source, target, net.prototypes, tau, iterations)
        optimizer.zero_grad()
        (loss + functional.mse_loss(estimate, velocity)).backward()
        optimizer.step()
        if step in (0, 100, 300, 1000, steps):
            scores = (source @ net.prototypes.T).detach()
            q = codes(scores, iterations)
            q_t = codes((target @ net.prototypes.T).detach(), iterations)
            print(
                f"seed {seed} tau {tau} iterations {iterations} step {step:5d} | swap {loss.item():.4f}"
                f" | nearest {prototype_perplexity(scores).item():5.2f} of {PROTOTYPES}"
                f" | entropy of a code {entropy(q).mean().item():.2f}, of their mean {entropy(q_t.mean(0)).exp():.1f}"
                f" | cosine {mean_cosine(source.detach()):+.3f} {mean_cosine(target.detach()):+.3f}"
                f" | same code {(q.argmax(1) == q_t.argmax(1)).float().mean():.2f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tau", type=float, nargs="+", default=[3.0, 0.3, 0.1])
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--ours", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds:
        for tau in args.tau:
            trial(seed, tau, args.iterations, args.steps, args.ours)
