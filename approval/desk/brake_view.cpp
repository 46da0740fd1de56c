#include "approval/desk/brake_view.hpp"

#include "approval/desk/plan_view.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::desk {

namespace {

using approval::Brake;
using approval::BrakeKind;
using approval::BrakeOrigin;
using base::Json;

std::vector<TranscriptEntry> transcript_of(const std::string& payload) {
    std::vector<TranscriptEntry> entries;
    const auto document = base::parse_json(payload);
    const Json* const lines = document ? base::member(*document, "transcript") : nullptr;
    if (lines == nullptr || !lines->is_array())
        return entries;
    for (const Json& line : *lines) {
        const auto text = [&](const char* name) {
            return line.is_object() ? base::string_member(line, name).value_or("") : std::string();
        };
        entries.push_back({text("at"), text("tool"), text("arguments"), text("outcome")});
    }
    return entries;
}

std::string shell_quoted(std::string_view word) {
    std::string out = "'";
    for (const char c : word)
        out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

/// For chats, where < > & can call everybody (and only these three are written otherwise) and a
/// backquote ends what is shown as it is.
std::string chat_text(std::string_view foreign) {
    std::string out;
    for (const char c : base::sanitize(foreign))
        out += c == '&'   ? "&amp;"
               : c == '<' ? "&lt;"
               : c == '>' ? "&gt;"
               : c == '`' ? "'"
                          : std::string(1, c);
    return out;
}

std::string sentence(const Brake& brake) {
    const std::string named = brake.name.empty() ? "" : " `" + chat_text(brake.name) + "`";
    const std::string what =
        brake.kind == BrakeKind::all
            ? "All calls are stopped"
            : std::string("The ") + approval::name(brake.kind) + named +
                  (brake.kind == BrakeKind::identity ? " is suspended" : " is switched off");
    const std::string by = brake.origin == BrakeOrigin::supervisor
                               ? " by the supervisor (" + chat_text(brake.cause) + ")"
                               : " by `" + chat_text(brake.who) + "`";
    return what + by + ": `" + chat_text(brake.reason) + "`. Only a person lifts it: `" +
           chat_text(lift_command(brake)) + "`";
}

Json view_json(const BrakeView& view) {
    Json transcript = Json::array();
    for (const TranscriptEntry& line : view.transcript)
        transcript.push_back(
            {{"at", line.at},
             {"tool", line.tool},
             {"arguments", line.arguments},
             {"outcome", line.outcome}}
        );
    Json document = approval::brake_json(view.brake);
    document["lift"] = lift_command(view.brake);
    document["transcript"] = std::move(transcript);
    return document;
}

} // namespace

base::Result<std::vector<BrakeView>>
brakes_from(db::Store& store, std::uint64_t first_leaf, std::size_t count_max) {
    INTERLOCK_TRY(auto brakes, approval::brakes_in_force(store));
    std::erase_if(brakes, [&](const Brake& brake) { return brake.leaf < first_leaf; });
    std::reverse(brakes.begin(), brakes.end()); // read with the latest first
    std::vector<BrakeView> views;
    for (Brake& brake : brakes) {
        if (views.size() == count_max)
            break;
        INTERLOCK_TRY(const auto records, telemetry::read_audit(store, brake.leaf, 1));
        const bool there = !records.empty() && records.front().index == brake.leaf;
        auto transcript = there ? transcript_of(records.front().payload.value_or("")) // or erased
                                : std::vector<TranscriptEntry>{};
        views.push_back({std::move(brake), std::move(transcript)});
    }
    return views;
}

std::string lift_command(const Brake& brake) {
    std::string command = std::string("interlock kill lift ") + approval::name(brake.kind);
    if (!brake.name.empty())
        command += " " + shell_quoted(brake.name);
    if (!brake.issuer.empty())
        command += " --issuer " + shell_quoted(brake.issuer);
    return command + " --reason WHY";
}

std::string brakes_json(const std::vector<BrakeView>& brakes) {
    Json list = Json::array();
    for (const BrakeView& view : brakes)
        list.push_back(view_json(view));
    return safe_json({{"brakes", std::move(list)}});
}

std::string notification(const BrakeView& view, const std::string& id) {
    Json data = view_json(view);
    data["id"] = id;
    return safe_json(
        {{"type", "interlock.brake.set"},
         {"timestamp", view.brake.at},
         {"text", sentence(view.brake)},
         {"data", std::move(data)}}
    );
}

} // namespace interlock::desk
