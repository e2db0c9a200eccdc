"""Tell what a picture may show though its captions leave it out: what most pictures show, what people wear, and what belongs
to the scene that the captions tell of. `caption_fit.py` asks for things that no caption mentions.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache, partial

from s2h.language import word_tables
from s2h.language.kept_answers import Kept
from s2h.language.noun_categories import is_body_part, is_person, may_be_person
from s2h.language.word_tables import word_set


def _nouns(text: str) -> frozenset[str]:
    """Return the nouns of a text that spaces separate; in a noun of several words "_" stands for the space."""
    return frozenset(word.replace("_", " ") for word in text.split())


# Things in most pictures, beside parts of a body.
_ALL_OVER = word_set(
    """sky ground floor wall ceiling air background cloud shadow sun light hair beard clothes clothing smile face glasses
    sunlight daylight reflection day night camera distance top side corner edge picture photo view scene shirt shoe pants
    jeans room area surface leg tail coat"""
)
_WORN = word_set("watch belt sock sleeve pocket button collar bracelet necklace earring hat cap")
_SET = word_set("table plate napkin fork knife spoon tray tablecloth")  # for a meal
_MEALS = word_set("meal food dish lunch dinner breakfast supper")
_COOKS = word_set("cook chef kitchen restaurant cafe")
# What tells that there are people, whoever they are, and where everybody may be.
CROWDED = word_set("crowded bustling busy packed populated")
_GATHERINGS = CROWDED | word_set(
    """crowd audience queue festival parade protest rally demonstration procession party celebration wedding ceremony concert
    performance carnival fair match race tournament championship competition contest funeral meeting conference lesson
    lecture picnic barbecue market bazaar stadium arena costume riot scrum band orchestra choir class rush"""
)
_PUBLIC = word_set(
    """street sidewalk crosswalk plaza square boulevard platform station airport terminal mall store shop restaurant cafe
    diner bar pub beach pool playground park court gym rink classroom school museum bus train tram subway ferry boat canoe
    kayak
    raft gondola yacht sailboat rowboat ship taxi cab carriage bicycle bike motorcycle motorbike scooter skateboard surfboard
    snowboard chairlift slope stall stage pier marina boardwalk stroller wheelchair traffic city town village"""
)
_EVERYBODY = word_set(
    """person people man woman boy girl child kid teenager teen youth adult couple family friend group crowd lady guy
    gentleman
    pedestrian tourist visitor passenger commuter driver rider worker vendor baby toddler spectator shopper customer"""
)
_LAND = "grass tree bush dirt fence street road highway sidewalk pavement building field meadow lawn"
# For each kind of scene: what its captions often leave out, what tells of such a scene, and what rules it out.
_SCENES = tuple(
    tuple(map(_nouns, shown_by))
    for shown_by in (
        (
            _LAND,
            f"""{_LAND} park pasture hillside path trail crossing intersection curb crosswalk traffic car bus carriage cart
            farm zoo barn city town shop store""",
            "",
        ),
        (
            "water ocean sea wave lake shore harbor dock pier river",
            """water ocean sea wave lake shore boat ship sailboat pier dock harbor lighthouse surfboard surfer kayak canoe
            island""",
            "driveway garage road street trailer museum room shop store wall",
        ),
        (
            "rock tree water grass bush leaf hill mountain river",
            "forest waterfall river stream mountain hill trail cliff canyon",
            "",
        ),
        (
            "window table chair lamp curtain rug carpet shelf pillow blanket door cabinet counter cushion",
            """sofa couch bed bedroom kitchen bathroom office sink stove oven refrigerator fireplace bookcase desk
            living_room dining_room hotel_room""",
            "",
        ),
        (
            """car traffic truck bus bicycle curb crosswalk intersection corner traffic_light stop_light street_light
            street_sign sign pole shop store bar cafe parking_lot sidewalk street road lamppost awning building""",
            """street road traffic intersection crosswalk sidewalk curb parking_meter stop_sign traffic_light stop_light taxi
            motorcycle fire_hydrant""",
            "bed kitchen bedroom bathroom beach forest garage snow museum track field tent",
        ),
        (
            "counter cabinet sink stove oven refrigerator microwave dish pan pot towel kitchen faucet",
            "kitchen stove oven refrigerator microwave",
            "",
        ),
        (
            "mirror sink toilet bathtub towel shower tile soap counter hair_dryer bathroom faucet",
            "bathroom toilet bathtub shower hair_dryer",
            "",
        ),
        (
            "pillow blanket sheet bedroom nightstand lamp headboard bed hotel_room",
            "bed bedroom pillow",
            "truck",
        ),
        (
            "keyboard mouse monitor laptop computer paper book pen lamp chair desk cup phone speaker",
            "desk keyboard monitor office",
            "",
        ),
        (
            "market stall stand counter basket crate box table sign hook",
            "market stall fruit vegetable banana produce grocery",
            "tree",
        ),
        (
            "savanna plain grass tree bush field dirt fence enclosure zoo rock hay",
            "giraffe zebra elephant lion rhinoceros antelope zoo savanna enclosure",
            "car river street road room",
        ),
        (
            "fence barn hay field grass pasture hillside farm",
            "cow sheep goat cattle farm lamb",
            "truck road street",
        ),
        (
            """bat ball glove base home_plate umpire catcher uniform helmet field dirt fence crowd dugout mound pitcher
            batter baseball_bat baseball baseball_glove""",
            "baseball batter catcher umpire baseball_bat baseball_player baseball_game home_plate baseball_glove",
            "bed book",
        ),
        (
            "racket ball court net fence tennis_racket tennis_ball",
            "racket tennis_player tennis_racket tennis_ball",
            "",
        ),
        (
            "ski pole ski_pole snow slope hill mountain helmet goggles jacket tree trail",
            "ski skier snowboard snowboarder slope",
            "",
        ),
        (
            "wave ocean water sea surfboard wetsuit beach",
            "surfer surfboard",
            "street truck van car parking_lot",
        ),
        ("skateboard ramp rail helmet park skate_park stairs", "skateboard skateboarder ramp", ""),
        ("candle frosting icing plate knife table", "cake birthday_cake wedding_cake cupcake", ""),
        (
            "track rail platform station wire train_track train_station railroad_track",
            "train locomotive",
            "forest bridge",
        ),
        (
            "runway tarmac airport airport_terminal terminal hangar",
            "airplane runway airport plane jet airliner",
            "museum cloud mountain",
        ),
        ("beach sand ocean water wave sea umbrella towel shore", "beach sand", ""),
        ("person park field grass beach string", "kite", "shop wall room"),
        ("table coffee cup drink menu chair", "cafe restaurant", ""),
        ("cafe restaurant", "coffee menu waiter waitress", "kitchen"),
        ("helmet jersey road trail bicycle", "cyclist bicycle", "car store"),
        ("hose smoke fire flame ladder helmet fire_truck", "firefighter fire smoke", "kitten cat"),
        ("leash collar", "dog", "bed"),
        (
            "wheel tire windshield headlight license_plate mirror door window seat bumper",
            "car truck bus van taxi train tram motorcycle bicycle suv pickup ambulance jeep tractor cart wagon carriage",
            "",
        ),
        (
            "door window roof chimney",
            "building house church shop store cafe restaurant hotel barn cabin cottage",
            "",
        ),
        (
            "water",
            """bathtub swim swimming swimmer fish dolphin whale shark duck swan goose pool puddle fountain rain waterfall
            aquarium raft rapids flood floodwater dam""",
            "",
        ),
        ("chair table", "coffee tea meal dinner lunch breakfast cafe restaurant classroom", ""),
        ("leaf branch petal stem", "tree flower plant bush rose tulip sunflower orchid lily", ""),
        ("microphone lectern podium stage tie", "speech microphone lectern podium", ""),
        ("field soil dirt crop plow farm farmer", "tractor", "water sea boat street road"),
        ("apron barbecue grill burger sausage", "barbecue grill", "kitchen counter"),
        ("snow snowman winter_coat", "snow snowman sled", ""),
        ("rain street sidewalk puddle", "umbrella", "beach room cat sand"),
    )
)


Scenes = tuple[tuple[frozenset[str], frozenset[str]], ...]  # (what tells, what rules out) of each
_SCENES_OF: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}  # thing left out -> its scenes
for _left_out, _told, _ruled_out in _SCENES:
    for _thing in _left_out:
        _SCENES_OF.setdefault(_thing, []).append((_told, _ruled_out))
# Thing left out -> what tells of it whatever else is there.
_TELLERS_OF = {
    thing: frozenset().union(*(told for told, ruled_out in scenes if not ruled_out))
    for thing, scenes in _SCENES_OF.items()
}


def may_go_without_saying(thing: str, known: Collection[str]) -> bool:
    """Tell whether a thing may be in a picture though captions that mention the known things leave it out.

    >>> may_go_without_saying("pillow", ["bed"]), may_go_without_saying("pillow", ["street"])
    (True, False)
    """
    return thing in _ALL_OVER or is_body_part(thing) or belongs_there(thing, known)


def belongs_there(thing: str, known: Collection[str]) -> bool:
    """Tell whether a thing belongs to the scene that the known things tell of, or to a person or a meal among them."""
    tellers, scenes = _tellers(thing)
    return any(map(tellers.__getitem__, known)) or is_in_scene(scenes, known)


@lru_cache(maxsize=1 << 9)
def _tellers(thing: str) -> tuple[Kept[str, bool], Scenes]:
    return Kept(partial(tells, thing)), scenes_of(thing)


def tells(thing: str, one: str) -> bool:
    """Tell whether a thing belongs to the scene of one known thing, whatever else is there."""
    if one in _GATHERINGS and may_be_person(thing):
        return True
    if one in _PUBLIC and thing in _EVERYBODY:
        return True
    if thing in _WORN:
        return is_person(one)
    if thing.rpartition(" ")[2] in _SET and _is_food(one):
        return True
    if thing in _MEALS:
        return _is_food(one) or one in _COOKS
    return one in _TELLERS_OF.get(thing, ())


def scenes_of(thing: str) -> Scenes:
    """Return the scenes to which a thing belongs unless a known thing rules it out."""
    if thing in _WORN or thing in _MEALS:
        return ()
    return tuple(scene for scene in _SCENES_OF.get(thing, ()) if scene[1])


def is_in_scene(scenes: Scenes, known: Collection[str]) -> bool:
    """Tell whether known things tell of one of the scenes and do not rule it out."""
    return bool(scenes) and any(
        not shown_by.isdisjoint(known) and ruled_out.isdisjoint(known) for shown_by, ruled_out in scenes
    )


def _is_food(noun: str) -> bool:
    return (
        "food" in word_tables.everyday().kinds.get(noun, ())
        or word_tables.things().first_file(noun) == "food"
    )
