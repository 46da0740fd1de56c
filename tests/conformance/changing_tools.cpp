// Tools that change what is offered, so that clients who listen hear of it.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

/// `change` is a member of Changes that does it.
server::OfferedTool
changing(const char* name, const char* what, Changes& changes, void (Changes::*change)()) {
    server::OfferedTool offered = tool(
        name,
        std::string("Changes ") + what + ".",
        [&changes, change](server::Conversation&, const base::Json&) {
            (changes.*change)();
            return answer("Changed.");
        }
    );
    offered.read_only = false;
    offered.idempotent = false;
    return offered;
}

} // namespace

void add_changing_tools(server::Offer& offer, Changes& changes, bool extra) {
    offer.tools.push_back(
        changing("test_trigger_tool_change", "the list of tools", changes, &Changes::change_tools)
    );
    offer.tools.push_back(changing(
        "test_trigger_prompt_change", "the list of prompts", changes, &Changes::change_prompts
    ));
    offer.tools.push_back(changing(
        "test_trigger_resource_change",
        "the watched resource",
        changes,
        &Changes::change_watched_resource
    ));
    if (extra) {
        offer.tools.push_back(tool(
            "test_extra_tool",
            "Comes and goes.",
            [](server::Conversation&, const base::Json&) { return answer("Here."); }
        ));
    }
}

} // namespace interlock::conformance
