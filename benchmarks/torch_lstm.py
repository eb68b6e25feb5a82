"""The autoencoder in torch, from a Keras model's weights: for benchmarks/train.py."""

import numpy as np
import torch
from torch import nn


class Autoencoder(nn.Module):
    """The same layers as lib.training.autoencoder's: (batch, length, 7) in and out."""

    def __init__(self, model, dropout=0.2):
        super().__init__()
        named = [layer for layer in model.layers if layer.weights]
        *lstms, _ = (layer.get_weights() for layer in named)
        self.lstms = nn.ModuleList(map(_lstm, lstms))
        self.dense = nn.Linear(*named[-1].get_weights()[0].shape)
        _copy(self.dense.weight, named[-1].get_weights()[0].T)
        _copy(self.dense.bias, named[-1].get_weights()[1])
        self.dropout, self.middle = nn.Dropout(dropout), len(lstms) // 2 - 1

    def forward(self, values):
        """Rebuild the windows (batch, length, 7)."""
        length = values.shape[1]
        for place, lstm in enumerate(self.lstms):
            values, _ = lstm(values)
            bottleneck = place == self.middle
            values = values[:, -1:].expand(-1, length, -1) if bottleneck else self.dropout(values)
        return self.dense(values)


def _lstm(weights):
    kernel, recurrent, bias = weights  # gates in the order i, f, c, o, as in torch
    lstm = nn.LSTM(len(kernel), len(recurrent), batch_first=True)
    for name, values in zip(("weight_ih", "weight_hh", "bias_ih"), (kernel.T, recurrent.T, bias), strict=True):
        _copy(getattr(lstm, f"{name}_l0"), values)
    _copy(lstm.bias_hh_l0, 0 * bias)
    lstm.bias_hh_l0.requires_grad = False  # Keras has one bias, torch adds two
    return lstm


def _copy(parameter, values):
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def train(model, learning, checking, *, epochs, rate):
    """Train as lib.training does, rate(step) the learning rate; yield the validation loss of each epoch."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(1)
    twin = Autoencoder(model).to(device)
    optimizer = torch.optim.Adam([p for p in twin.parameters() if p.requires_grad], eps=1e-7)
    step = 0
    for epoch in range(epochs):
        learning.begin(epoch)
        twin.train()
        for index in range(len(learning)):
            optimizer.param_groups[0]["lr"] = float(rate(step))
            optimizer.zero_grad()
            _loss(twin, learning[index][0], device).backward()
            for parameter in twin.parameters():
                if parameter.grad is not None:
                    nn.utils.clip_grad_norm_(parameter, 1.0)  # each parameter separately, as clipnorm in Keras
            optimizer.step()
            step += 1
        yield _validated(twin, checking, device)


def _loss(twin, windows, device):
    windows = torch.from_numpy(windows).float().to(device)
    return nn.functional.mse_loss(twin(windows), windows)


def _validated(twin, checking, device):
    twin.eval()
    with torch.no_grad():
        batches = (checking[index][0] for index in range(len(checking)))
        losses = [(len(windows), _loss(twin, windows, device).item()) for windows in batches]
    sizes, losses = zip(*losses, strict=True)
    return float(np.average(losses, weights=sizes))
