"""What stands on a GPU for layers that torch has no deterministic algorithm for is, on a CPU, torch's own."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.build import build
from paribus.models.deterministic import AverageTo, ResponseNorm, average_by_products
from paribus.recipe import NIN, InceptionV1

CHOSEN = torch.Generator().manual_seed(0)


def with_gradient(answer: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.arange(answer.numel(), dtype=answer.dtype).view_as(answer).sin()
    return answer.detach(), torch.autograd.grad((answer * weights).sum(), x)[0]


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 4), (7, 5, 4), (3, 2, 4), (17, 14, 5), (6, 6, 6)])
def test_averages_to_a_side_are_products(height: int, width: int, side: int) -> None:
    x = torch.randn(2, 3, height, width, dtype=torch.float64, generator=CHOSEN).requires_grad_()
    expected = with_gradient(F.adaptive_avg_pool2d(x, side), x)
    torch.testing.assert_close(with_gradient(average_by_products(x, side), x), expected)
    assert torch.equal(AverageTo(side)(x), expected[0])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_response_norm_is_that_of_rows(layout: torch.memory_format) -> None:
    images = torch.randn(2, 7, 4, 5, dtype=torch.float64, generator=CHOSEN).to(memory_format=layout)
    x = images.requires_grad_()
    norm = ResponseNorm(5, alpha=1e-1, beta=0.75, k=1.0)
    expected = with_gradient(nn.LocalResponseNorm(5, alpha=1e-1, beta=0.75, k=1.0)(x), x)
    torch.testing.assert_close(with_gradient(norm.as_rows(x), x), expected)
    assert torch.equal(norm(x), expected[0])


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (InceptionV1(), ResponseNorm),
        (InceptionV1(auxiliary={"at": ("4a",)}), AverageTo),
        (NIN(head="connected"), AverageTo),
    ],  # type: ignore[arg-type]
    ids=["response norm", "auxiliary head", "connected head"],
)
def test_nets_have_these_and_none_of_torchs(model: InceptionV1 | NIN, layer: type[nn.Module]) -> None:
    parts = list(build(model, 3, 10, init_seed=0).modules())
    assert any(isinstance(part, layer) for part in parts)
    own = (ResponseNorm, AverageTo)
    assert not [
        part for part in parts if isinstance(part, own[0].__bases__ + own[1].__bases__) and not isinstance(part, own)
    ]
