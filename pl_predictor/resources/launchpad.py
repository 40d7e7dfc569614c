"""How the platform's configuration becomes what Dagster's launchpad shows."""

from typing import Any, TypeVar

import dagster as dg
from pydantic import Field, create_model

from pl_predictor.settings import Settings

LIMITS = ("gt", "ge", "lt", "le")


def setting(name: str, default: Any = ...) -> Any:
    """A field of a resource that means what the setting of that name does."""
    field = Settings.model_fields[name]
    limits = {limit: getattr(rule, limit) for rule in field.metadata for limit in LIMITS if hasattr(rule, limit)}
    return Field(default, description=field.description, **limits)


R = TypeVar("R", bound=dg.ConfigurableResource[Any])


def with_defaults(resource: type[R], **values: Any) -> R:
    """A resource whose fields have these defaults, one by one.

    Dagster takes the values of `resource(**values)` for one default of the whole: whoever overrides a single one in the
    launchpad would have to write down all the others.
    """
    fields: dict[str, Any] = {
        name: (field.annotation, Field(values[name], description=field.description))
        for name, field in resource.model_fields.items()
        if name in values
    }
    made: type[R] = create_model(resource.__name__, __base__=resource, __module__=resource.__module__, **fields)
    return made()
