"""Phase 1: the regime detection engine learns to describe its window in eight numbers.

Loss: mean squared error of the reconstructed window, plus beta times the divergence of the latent from its prior, a latent
(D. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2014). A latent is active where the variance of its mean over
windows is above 0.01 (Y. Burda and others, "Importance Weighted Autoencoders", 2016).
"""

from pathlib import Path

import torch
from torch import Tensor
from tqdm import trange

from algospace_train import machine
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import RegimeEngine
from algospace_train.run import Run
from algospace_train.settings import RegimeSettings, SettingsError, Start


def closes_of_rows(markets: Markets) -> Tensor:
    """A close for every regime row on which something can be decided, in order."""
    rows = markets.newest[markets.decidable, 2]
    is_new = torch.ones_like(rows, dtype=torch.bool)
    is_new[1:] = rows[1:] != rows[:-1]
    return markets.decidable[is_new]


def loss(engine: RegimeEngine, matrix: Tensor, beta: float, noise: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, its reconstruction error and its divergence, in nats a latent."""
    mean, log_variance = engine.posterior(matrix)
    latent = mean if noise is None else mean + noise * torch.exp(0.5 * log_variance)
    error = (engine.reconstruct(latent) - matrix).square().mean()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
    return error + beta * divergence, error, divergence


@torch.no_grad()
def judge(engine: RegimeEngine, markets: Markets, closes: Tensor, beta: float) -> dict[str, float]:
    """How well the engine describes windows that it has not learned from."""
    errors, divergences, means, squares = [], [], [], []
    for part in closes.split(512):
        matrix = markets.window("regime", part)
        _, error, divergence = loss(engine, matrix, beta, None)
        errors.append(error * len(part))
        divergences.append(divergence * len(part))
        squares.append(matrix.square().mean() * len(part))
        means.append(engine(matrix))
    latent = torch.cat(means)
    error = float(sum(errors) / len(closes))
    divergence = float(sum(divergences) / len(closes))
    follows = closes[1:] - closes[:-1] < 12
    moved = (latent[1:] - latent[:-1])[follows].square().mean(0)
    spread = latent.var(0)
    active = spread > 0.01
    return {
        "validation/loss": error + beta * divergence,
        "validation/reconstruction": error,
        "validation/explained": 1.0 - error / float(sum(squares) / len(closes)),
        "validation/divergence": divergence,
        "validation/active_latents": float(active.sum()),
        "validation/change_from_bar_to_bar": float((moved / (2 * spread))[active].mean()) if active.any() else 0.0,
    }


def train(settings: RegimeSettings, start: Start = Start.NEW) -> Path:
    """Trains the engine; returns the path of the networks."""
    machine.prepare(settings.threads)
    run = Run("phase1", settings, start)
    learn, check = (
        open_markets(of, settings.engine, settings.market_folder()) for of in (settings.train, settings.validation)
    )
    run.begin()
    learn_closes, check_closes = closes_of_rows(learn), closes_of_rows(check)
    print(f"{len(learn_closes):,} windows to learn from, {len(check_closes):,} to be judged on")
    networks = run.networks
    engine = networks.regime
    torch.manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(engine.parameters(), lr=settings.learning_rate)
    begin, best, waited = 0, float("inf"), 0
    if run.resumed is not None:
        state = run.resumed
        optimizer.load_state_dict(state["optimizer"])
        begin, best, waited = state["step"], state["best"], state["waited"]
        torch.set_rng_state(state["random"])
    progress = trange(begin, settings.epochs, desc="phase 1", unit="epoch", initial=begin, total=settings.epochs)
    for epoch in progress:
        if waited >= settings.patience:
            break
        beta = settings.beta * min(1.0, (epoch + 1) / max(1, settings.warm_up_epochs))
        total = 0.0
        for part in learn_closes[torch.randperm(len(learn_closes))].split(settings.batch):
            matrix = learn.window("regime", part)
            noise = torch.randn(len(part), engine.mean.out_features)
            value, _, _ = loss(engine, matrix, beta, noise)
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(engine.parameters(), 1.0)
            optimizer.step()
            total += value.item() * len(part)
        numbers = {"train/loss": total / len(learn_closes)} | judge(engine, check, check_closes, settings.beta)
        run.log(epoch + 1, numbers)
        progress.set_postfix(validation=f"{numbers['validation/loss']:.4f}")
        waited += 1
        if numbers["validation/loss"] < best:
            best, waited = numbers["validation/loss"], 0
            run.keep(networks)
        state = {"networks": networks.state_dict(), "optimizer": optimizer.state_dict()}
        run.save(epoch + 1, state | {"best": best, "waited": waited})
    run.close()
    if not run.weights.exists():
        raise SettingsError(f"{run.folder}: no epoch had a loss that is a number; try a smaller learning_rate")
    return run.weights


@torch.no_grad()
def regime_vectors(engine: RegimeEngine, markets: Markets) -> Tensor:
    """The regime vector at every close, [closes, 8]; zeros where nothing can be decided."""
    closes = closes_of_rows(markets)
    vectors = torch.cat([engine(markets.window("regime", part)) for part in closes.split(512)])
    rows = torch.zeros(len(markets.rows["regime"]) + 1, vectors.shape[1])
    rows[markets.newest[closes, 2]] = vectors
    return rows[markets.newest[:, 2]]
