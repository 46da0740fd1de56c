#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/plan.hpp"
#include "runbooks/strict_object.hpp"

#include <nlohmann/json.hpp>

namespace interlock::runbooks {
namespace {

base::Error too_long(const std::string& what, std::size_t most) {
    return {
        base::Errc::limit_exceeded,
        "The presentation's " + what + " exceeds " + std::to_string(most) + ".",
        "Say it shorter: a person has to read it before deciding.",
    };
}

base::Status check_list(
    const std::vector<std::string>& list,
    const std::string& what,
    std::size_t count_max,
    std::size_t characters_max
) {
    if (list.size() > count_max) {
        return too_long("number of " + what, count_max);
    }
    for (const auto& entry : list) {
        if (base::count_characters(entry) > characters_max) {
            return too_long("length of " + what, characters_max);
        }
    }
    return base::done;
}

} // namespace

std::string presentation_bytes(const Presentation& presentation) {
    return canonical_json({
        {"title", presentation.title},
        {"hypothesis", presentation.hypothesis},
        {"evidence", presentation.evidence},
        {"blast_radius", presentation.blast_radius},
        {"incident", presentation.incident},
    });
}

base::Result<Presentation> parse_presentation(std::string_view bytes) {
    INTERLOCK_TRY(
        const auto document, base::parse_json(bytes, base::limits::presentation_bytes_max)
    );
    std::string problem;
    StrictObject in(document, "", problem);
    Presentation out;
    out.title = in.text("title");
    out.hypothesis = in.text("hypothesis");
    out.evidence = in.texts("evidence");
    out.blast_radius = in.texts("blast_radius");
    out.incident = in.text("incident");
    if (!problem.empty()) {
        return base::Error{
            base::Errc::invalid_input,
            "The presentation cannot be read: " + problem + ".",
            "Propose the plan again.",
        };
    }
    if (presentation_bytes(out) != bytes) {
        return base::Error{
            base::Errc::changed,
            "The presentation's bytes are not the canonical bytes of any presentation.",
            "Propose the plan again; do not edit stored plans.",
        };
    }
    INTERLOCK_CHECK(check_presentation(out));
    return out;
}

base::Status check_presentation(const Presentation& presentation) {
    namespace limits = base::limits;
    if (base::count_characters(presentation.title) > limits::plan_line_chars_max) {
        return too_long("length of title", limits::plan_line_chars_max);
    }
    if (base::count_characters(presentation.hypothesis) > limits::hypothesis_chars_max) {
        return too_long("length of hypothesis", limits::hypothesis_chars_max);
    }
    if (base::count_characters(presentation.incident) > limits::plan_line_chars_max) {
        return too_long("length of incident", limits::plan_line_chars_max);
    }
    INTERLOCK_CHECK(check_list(
        presentation.evidence,
        "evidence ids",
        limits::evidence_cited_max,
        limits::plan_line_chars_max
    ));
    INTERLOCK_CHECK(check_list(
        presentation.blast_radius,
        "blast radius",
        limits::blast_radius_sentences_max,
        limits::blast_radius_chars_max
    ));
    return base::done;
}

} // namespace interlock::runbooks
