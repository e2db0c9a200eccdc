"""Judge by CLIP whether the chosen answer singles out the images that it is about. Each text that it claims is compared
with every image of the prompt. At level 3 no other image should fit better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s2h.filters import DIGITS, Judge, Measure
from s2h.filters.clip_claims import ClipScorer, Embedded, Wanted, claims, place
from s2h.filters.judgement import IMAGES, Flag, Judgement, Option
from s2h.filters.scorers import CLIP
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.filters.engine import Engine


def build(engine: Engine, *, first: bool = False, model: str | None = None) -> Judge:
    """Measure the rank of the claimed images among all images of the prompt; with `first`, keep pairs of rank 1.
    scores.clip_images has:

    images: for each distinct text of the chosen claims a row of cosines, one for each image. lead: the least distance,
    over the texts, from the worst image that the text is claimed of to the best one that it is not claimed of. rank: 1
    if no other image is ahead of one that the text is claimed of, else one more than the most images that are.

    An image that a text is claimed of is not a rival for that text, and a second copy of it (by its bytes) is not either. If
    all images are claimed there is no rival: rank 1, and no lead.
    """

    def decide(record: Record) -> str:
        return "clip rank above 1" if first and record["scores"]["clip_images"]["rank"] > 1 else ""

    def measure(record: Record, images: Embedded, texts: Embedded) -> dict[str, Any]:
        return _ranked(engine, record, images, texts)

    lead = Measure("clip lead of target", lambda record: record["scores"]["clip_images"].get("lead"))
    scorer = ClipScorer("clip_images", ("rank",), engine, model, _wanted, measure)
    return Judge("clip_images", scorer.score, decide, heavy=True, measures=(lead,))


def _wanted(record: Record) -> Wanted:
    return Wanted(set(range(len(record["images"]))), set(_owners(record)))


def _ranked(engine: Engine, record: Record, images: Embedded, texts: Embedded) -> dict[str, Any]:
    places = [place(record, at) for at in range(len(record["images"]))]
    digests = engine.digests(places)[0]
    keys = [digests[one] for one in places]
    table, rank, leads = [], 1, []
    for text, owners in _owners(record).items():
        cosines = [round(float(images[one] @ texts[text]), DIGITS) for one in places]
        table.append(cosines)
        own = {keys[at] for at in owners}
        rivals = {key: cosines[at] for at, key in enumerate(keys) if key not in own}
        worst = min(cosines[at] for at in owners)
        if rivals:
            leads.append(worst - max(rivals.values()))
            rank = max(rank, 1 + sum(cosine > worst for cosine in rivals.values()))
    return {"rank": rank, **({"lead": min(leads)} if leads else {}), "images": table}


def _owners(record: Record) -> dict[str, set[int]]:
    """Return the distinct texts of the chosen claims, each with the images that it is claimed of."""
    owners: dict[str, set[int]] = {}
    for at, text in claims(record, "chosen"):
        owners.setdefault(text, set()).add(at)
    return owners


JUDGEMENT = Judgement(
    about="Does the chosen answer single its images out of all images of the prompt?",
    options=(
        Option(
            "--clip-rank",
            Flag(),
            "Keep pairs whose chosen answer singles its images out: no other image of the prompt fits a claim "
            "better than the image that the claim is about. For level 3; at levels 1 and 2 the prompt names the "
            "image, and others may fit as well.",
        ),
    ),
    build=lambda given, tools: build(tools.engine, first=given["clip_rank"], model=given.model(CLIP)),
    heading=IMAGES,
    order=31,
    score="clip_images",
    short="clip-images",
    model=CLIP,
)
