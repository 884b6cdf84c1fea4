"""Parts of the composition: what reads texts and what makes vectors, out of the settings."""

from __future__ import annotations

from lineal.clock import monotonic_s
from lineal.embedders.hashing import HashingEmbedder
from lineal.embedders.minilm import MiniLmEmbedder
from lineal.embedders.none import NoEmbedder
from lineal.errors import LinealError
from lineal.extractors.best import BestOf
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ports.embedder import Embedder, TokenEmbedder
from lineal.ports.extractor import Extractor
from lineal.settings import Settings

__all__ = ["embedder_of", "extractor_of", "finer_of"]


def extractor_of(settings: Settings) -> Extractor:
    """The rules, behind the configured model if there is one."""
    return BestOf(
        RulesExtractor(),
        _model(settings),
        sampling=settings.sampling,
        timeout_s=settings.llm_timeout_s,
    )


def _model(settings: Settings) -> Extractor | None:
    """Raises invalid_request for an endpoint without a model, or one that can't be asked."""
    if settings.llm_url is None:
        return None
    if settings.llm_model is None:
        raise LinealError.invalid(
            "LINEAL_LLM_MODEL", "LINEAL_LLM_URL is set, and no model: set LINEAL_LLM_MODEL too."
        )
    from lineal.extractors.llm.endpoint import Endpoint  # late: it brings httpx
    from lineal.extractors.llm.extractor import LlmExtractor

    url, timeout_s = settings.llm_url.get_secret_value(), settings.llm_timeout_s
    ask = Endpoint(url, settings.llm_model, settings.llm_key, timeout_s=timeout_s)
    return LlmExtractor(ask, settings.llm_model)


def embedder_of(settings: Settings) -> Embedder:
    match settings.embedder:
        case "minilm":
            return MiniLmEmbedder(tick=monotonic_s)
        case "endpoint":
            return _endpoint(settings)
        case "hashing":
            return HashingEmbedder()
    return NoEmbedder()


def finer_of(settings: Settings, embedder: Embedder) -> TokenEmbedder | None:
    """Raises invalid_request for an embedder that doesn't know the pieces of a text."""
    if not settings.tokens:
        return None
    if not isinstance(embedder, MiniLmEmbedder):
        raise LinealError.invalid(
            "LINEAL_TOKENS",
            f"LINEAL_TOKENS needs LINEAL_EMBEDDER=minilm; it is {settings.embedder}.",
        )
    return embedder


def _endpoint(settings: Settings) -> Embedder:
    """Raises invalid_request for an endpoint without an address or a model."""
    if settings.embed_url is None or settings.embed_model is None:
        raise LinealError.invalid(
            "LINEAL_EMBED_URL",
            "LINEAL_EMBEDDER is endpoint: set LINEAL_EMBED_URL and LINEAL_EMBED_MODEL too.",
        )
    from lineal.embedders.endpoint import EndpointEmbedder  # late: it brings httpx

    key = settings.embed_key.get_secret_value() if settings.embed_key else None
    url = settings.embed_url.get_secret_value()
    return EndpointEmbedder(url, settings.embed_model, key, dim=settings.embed_dim)
