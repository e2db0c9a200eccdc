"""Make the tables of `s2h/language/`: the commonest nouns that can be seen, with their synonyms and broader terms, and the
parts of speech of common words.

    apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb wordnet
    pip install wordfreq
    python examples/language/make_table.py wordnet/usr/share/wordnet s2h/language/

The words and their relations are those of WordNet 3.0 (Princeton University; its licence is in `wordnet-licence.txt`
beside the tables). wordfreq only says which words are common enough; its figures are not in the tables.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

from wordfreq import zipf_frequency

from s2h.language.word_tables import word_set

# Lexicographer files of nouns, in the order of their numbers from 3.
FILES = """tops act animal artifact attribute body cognition communication event feeling food group location motive object
    person phenomenon plant possession process quantity relation shape state substance time"""
SEEN = word_set("""animal artifact body food object person plant""")
# Nouns of other files that a photograph shows as well.
ALSO_SEEN = word_set(
    """people couple family crowd herd flock team band audience army parade swarm police wave sunset sunrise rainbow cloud
    fire flame smoke lightning rain snow ice water sand mud dirt soil foam fog mist steam park field yard garden city
    town village playground parking_lot courtyard farm orchard vineyard backyard campus sign stop_sign street_sign
    traffic_sign road_sign letter poster graffiti logo symbol menu map chart newspaper magazine book painting
    photograph portrait mural wood stone metal paper fabric cloth leather grass hay straw moss bread landscape seascape
    skyline scenery cityscape circle square triangle star heart ring bubble shadow reflection puddle jungle forest
    woods desert meadow savanna pasture hillside countryside market restaurant bus_stop airport zoo wedding concert
    festival market_place bouquet fleet pile stack collection fireworks explosion meal breakfast lunch dinner picnic
    dessert snack salad soup desktop number_plate license_plate crosswalk sidewalk intersection lawn corner billboard
    banner label ticket card postcard calendar diagram screenshot cartoon comic drawing sketch collage barbecue buffet
    ornament choir orchestra trio duo pair twins clergy cattle livestock poultry herd pack litter convoy mob trash
    garbage debris rubbish litter furniture traffic luggage equipment food fruit produce laundry food cuisine gravel
    ash fur wool sun moon glass icicle snowflake
        kite chain tin stamp coin bill headphones wrench lime racket goal club medal swing column table board
    campfire log     branch coral pillar pajamas hoodie tattoo harbor buoy album arena arrow avenue beam bronze
    building caravan cd cinema     chalk character charcoal clinic cork cotton court cream crossing document ebony
    film flyer footing galaxy ghost grove     icing iron jade junk kale kitty knot medicine memorial meter
    microwave monument lure path patch pillar residence ruin     roll roller rubber salt scoop shade shaft shaving
    silver skeleton slice sphere spice sponge spotlight spray stage     stalk stem storage stake spread tab tablet
    tap tape tee television thorn tin treasure van video volleyball football weight     whistle zip cast aerial
    antenna facade pavilion mosaic boulevard plaza highway trailhead skatepark smartphone selfie laptop
    sweatshirt t-shirt tank sneakers flip-flop hashtag chairlift snowboarder skateboarder kayaker rapper blogger
    vlogger     influencer goalie quarterback cheerleader firefighter paramedic barista hiker jogger commuter
    shopper pedestrian sloth
    beacon den fig fleece funnel light pennant piazza planking
    scoreboard spark streamer tapestry patchwork wafer rectangle"""
)
# Found by reading the nouns of the files that are not in SEEN: their first sense is something visible, whatever its file.
FIRST_IS_SEEN = word_set(
    """advertisement artwork badge bible booklet brochure catalog catalogue certificate checklist cookbook coupon
    crossword dictionary diploma encyclopedia fingerprint footprint guidebook handbook handwriting inscription
    insignia invoice lettering manuscript notebook notepad pamphlet passport signage signpost
    stationery tabloid textbook timetable workbook yearbook
        alabaster brass compost copper driftwood droppings fertilizer firewood frost gemstone granite kindling
    limestone magma manure obsidian papyrus plank plaster quartz rubble sandpaper sandstone sawdust shingle soot
    styrofoam vapor vapour wallpaper wax wicker
        bonfire avalanche landslide raindrop ripple snowfall
    surf tide tornado whirlpool wildfire
        battlefield campground campsite cemetery churchyard clearing coastline cornfield crossroads dockyard fairground
    farmland glade grassland graveyard hilltop junkyard landmark minefield neighborhood neighbourhood outpost parkland
    prairie rainforest rooftop schoolyard seafront seaport shrubbery slum suburb thicket undergrowth wasteland
    waterfront
        cavalry circus infantry mariachi militia motorcade platoon procession regiment squad squadron throng tribe
        crescent crevice cube cylinder disk droplet hexagon octagon pentagram scroll semicircle spiral
    wrinkle tentacle
        abscess blister bruise hematoma laceration lesion pimple rash scar sunburn swelling tumor tumour ulcer wound
    scrum dollar penny medallion"""
)
WIDEST = frozenset(["person", "animal", "plant", "food"])  # the tops that name something
# An old man is a man who is old: such compounds are left out.
ADJECTIVES = word_set(
    """old young small blue yellow green little big great small black white red good bad poor dead elder senior fat wild"""
)
MIN_ZIPF = 1.9  # of a visible noun
MIN_WORD = 2.3  # of other words
TOP = word_set(
    """entity physical_entity object whole living_thing organism artifact instrumentality causal_agent matter substance
    unit thing abstraction psychological_feature group relation part body_part natural_object cell external_body_part
    process phenomenon physical_phenomenon natural_phenomenon event happening communication visual_communication
    location region area geographical_area point line surface covering article commodity consumer_goods way creation
    product representation collection arrangement social_group gathering organization unit instrumentation attribute
    shape form state measure act activity definite_quantity solid fluid liquid chordate vertebrate craniate placental
    eutherian aquatic_vertebrate ungulate even-toed_ungulate odd-toed_ungulate arthropod invertebrate vascular_plant
    woody_plant spermatophyte angiosperm material building_material nutriment foodstuff facility obstruction opening
    passage geological_formation formation body_of_water thoroughfare signal indication signaling_device
    protective_covering implement equipment device mechanism conveyance transport wheeled_vehicle self-
    propelled_vehicle craft adult juvenile leader worker user creator expert intellectual peer lover capitalist
    unfortunate good_person relative kin communicator contestant entertainer performer traveler inhabitant native
    European Asian African American North_American skilled_worker professional bad_person combatant serviceman
    unskilled_person domestic_animal range_animal larva offspring young chordate_family mammal_family"""
)


def main() -> None:
    wordnet, out = Path(sys.argv[1]), Path(sys.argv[2])
    counts = _counts(wordnet)
    senses = {pos: _senses(wordnet, pos) for pos in ("noun", "verb", "adj", "adv")}
    synsets = _synsets(wordnet)
    chosen = _visible(senses["noun"], synsets, counts)
    (out / "things.tsv").write_text("".join(_things(chosen, senses["noun"], synsets)), encoding="utf-8")
    (out / "words.tsv").write_text("".join(_words(wordnet, senses, counts, chosen)), encoding="utf-8")


def _counts(wordnet: Path) -> Counter:
    """(lemma, part of speech, sense number) -> how often it was tagged in WordNet's texts."""
    found: Counter = Counter()
    for line in (wordnet / "cntlist.rev").read_text().splitlines():
        key, number, count = line.split()
        lemma, rest = key.split("%")
        pos = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}[rest[0]]
        found[lemma, pos, int(number)] = int(count)
    return found


def _senses(wordnet: Path, pos: str) -> dict[str, list[str]]:
    """lemma -> offsets of its synsets, the commonest first."""
    found = {}
    for line in (wordnet / f"index.{pos}").read_text().splitlines():
        if not line.startswith(" "):
            parts = line.split()
            found[parts[0]] = parts[-int(parts[2]) :]
    return found


def _synsets(wordnet: Path) -> dict[str, tuple[str, list[str], list[str]]]:
    """offset -> (lexicographer file, words, offsets of the broader synsets; an instance is no kind)."""
    found = {}
    for line in (wordnet / "data.noun").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.split("|")[0].split()
        many = int(parts[3], 16)
        words = [parts[4 + 2 * i] for i in range(many)]
        pointers = parts[5 + 2 * many :]
        broader = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@"]
        instance = any(pointers[i] == "@i" for i in range(0, len(pointers) - 3, 4))
        found[parts[0]] = ("name" if instance else FILES.split()[int(parts[1]) - 3], words, broader)
    return found


def _visible(senses: dict, synsets: dict, counts: Counter) -> dict[str, list[str]]:
    """lemma -> the offsets of its visible senses, of the nouns that are mostly used for something visible."""
    chosen = {}
    for lemma, offsets in senses.items():
        if (
            lemma.split("_")[0] in ADJECTIVES
            and "_" in lemma
            and synsets[offsets[0]][0] in ("person", "artifact", "object")
        ):
            continue
        if not _common(lemma) or not lemma.replace("_", "").replace("-", "").replace("'", "").isalpha():
            continue
        if lemma in FIRST_IS_SEEN:
            chosen[lemma] = offsets[:1]
            continue
        if lemma not in ALSO_SEEN:  # a name says nothing about the word: Stephen Crane, and a crane
            offsets = [offset for offset in offsets if synsets[offset][0] != "name"]
        weights = [counts[lemma, "noun", n] + 0.7**n for n in range(1, len(offsets) + 1)]
        seen = [
            synsets[o][0] in SEEN
            or synsets[o][1][0] in WIDEST
            or (lemma in ALSO_SEEN and synsets[o][0] not in ("act", "cognition", "state", "attribute"))
            for o in offsets
        ]
        if lemma in ALSO_SEEN and any(synsets[o][0] in SEEN for o in offsets):
            seen = [synsets[o][0] in SEEN for o in offsets]
        share = sum(w for w, s in zip(weights, seen, strict=True) if s) / (sum(weights) or 1)
        if offsets and (lemma in ALSO_SEEN or share >= 0.4):
            top = max((w for w, s in zip(weights, seen, strict=True) if s), default=0)
            # rare senses only mislead: a dog is no 'frankfurter' where nothing says so
            kept = [o for o, w, s in zip(offsets, weights, seen, strict=True) if s and w >= 0.2 * top]
            kept = kept or [o for o, s in zip(offsets, seen, strict=True) if s][:1]
            if kept:
                chosen[lemma] = kept[:3]
    return chosen


def _common(lemma: str) -> bool:
    parts = lemma.split("_")
    if len(parts) == 1:
        return len(lemma) > 1 and zipf_frequency(lemma, "en") >= MIN_ZIPF
    return len(parts) == 2 and all(zipf_frequency(part, "en") >= 3.2 for part in parts)


def _things(chosen: dict, senses: dict, synsets: dict) -> list[str]:
    """Lines: number of the synset, its file, the numbers of the broader ones, its words (* marks a word's first sense)."""
    used: dict[str, set[str]] = defaultdict(set)
    for lemma, offsets in chosen.items():
        for offset in offsets:
            used[offset].add(lemma)
    kept = set(used)
    for offset in list(used):
        kept |= _above(offset, synsets)
    order = sorted(kept, key=lambda o: (synsets[o][1][0].lower(), o))
    numbers = {offset: number for number, offset in enumerate(order)}
    lines = [
        "# number, file, broader, words (* the word's first sense); made by examples/language/make_table.py\n"
    ]
    for offset in order:
        file, words, broader = synsets[offset]
        named = []
        for word in words:
            lemma = word.lower()
            if lemma in used[offset] and (file == "person" or words[0] not in TOP):
                named.append(("*" if chosen[lemma][0] == offset else "") + lemma.replace("_", " "))
        above = ",".join(str(numbers[o]) for o in broader if o in numbers)
        lines.append(f"{numbers[offset]}\t{file}\t{above}\t{','.join(named)}\n")
    return lines


def _above(offset: str, synsets: dict) -> set[str]:
    """The broader synsets that have a plain name."""
    found: set[str] = set()
    ahead = [offset]
    while ahead:
        for broader in synsets[ahead.pop()][2]:
            if broader not in found and broader in synsets:
                found.add(broader)
                ahead.append(broader)
    return found


def _words(wordnet: Path, senses: dict, counts: Counter, chosen: dict) -> list[str]:
    """Lines: a word, its parts of speech with the tenths of its uses that are of each (n5v5), its irregular forms."""
    forms = defaultdict(set)
    for line in (wordnet / "verb.exc").read_text().splitlines():
        form, *lemmas = line.split()
        for lemma in lemmas:
            forms[lemma].add(form)
    plurals = defaultdict(set)
    for line in (wordnet / "noun.exc").read_text().splitlines():
        form, *lemmas = line.split()
        for lemma in lemmas:
            plurals[lemma].add(form)
    lines = [
        "# word, tenths of its uses as noun/verb/adjective/adverb, irregular verb forms, irregular plurals\n"
    ]
    for word in sorted(set().union(*senses.values())):
        if not word.replace("-", "").isalpha() or len(word) < 2:
            continue
        if word not in chosen and zipf_frequency(word, "en") < MIN_WORD:
            continue
        share = {}
        for pos in senses:
            offsets = senses[pos].get(word, ())
            if offsets:
                share[pos[0] if pos != "adv" else "r"] = 0.3 + sum(
                    counts[word, pos, n] for n in range(1, len(offsets) + 1)
                )
        whole = sum(share.values())
        told = "".join(f"{pos}{max(1, round(9 * part / whole))}" for pos, part in share.items())
        verb = " ".join(sorted(forms[word])) if "v" in share else ""
        noun = " ".join(sorted(plurals[word])) if "n" in share else ""
        lines.append(f"{word}\t{told}\t{verb}\t{noun}".rstrip() + "\n")
    return lines


if __name__ == "__main__":
    main()
