#include "server/client.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

/// In the order of LogSeverity.
constexpr std::array<const char*, 8> severities{
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"};

/// A capability is declared by an object; anything else under its name declares nothing.
const Json* declared(const Json& capabilities, std::string_view name) {
    const Json* value = base::member(capabilities, name);
    return value != nullptr && value->is_object() ? value : nullptr;
}

} // namespace

std::optional<LogSeverity> log_severity_from(std::string_view name) {
    const auto found = std::find(severities.begin(), severities.end(), name);
    if (found == severities.end()) {
        return std::nullopt;
    }
    return static_cast<LogSeverity>(found - severities.begin());
}

const char* name(LogSeverity severity) {
    return severities.at(static_cast<std::size_t>(severity));
}

bool Client::can_answer(std::string_view method, std::string_view mode) const {
    if (method == "elicitation/create") {
        return mode == "url" ? elicitation_url
                             : elicitation_form && (mode.empty() || mode == "form");
    }
    return (method == "sampling/createMessage" && sampling) || (method == "roots/list" && roots);
}

std::string client_name(const Json* info) {
    if (info == nullptr) {
        return {};
    }
    const std::string name = base::string_member(*info, "name").value_or("");
    const std::string version = base::string_member(*info, "version").value_or("");
    const std::string both = version.empty() ? name : name + "/" + version;
    return base::cut_middle(base::sanitize(both), base::limits::client_name_chars_max);
}

Client read_client(const Json* info, const Json* capabilities) {
    Client client;
    client.name = client_name(info);
    if (capabilities == nullptr) {
        return client;
    }
    if (const Json* elicitation = declared(*capabilities, "elicitation")) {
        client.elicitation_url = declared(*elicitation, "url") != nullptr;
        // Clients from before there were modes declare none and show forms.
        client.elicitation_form =
            declared(*elicitation, "form") != nullptr || !client.elicitation_url;
    }
    client.sampling = declared(*capabilities, "sampling") != nullptr;
    client.roots = declared(*capabilities, "roots") != nullptr;
    const Json* extensions = declared(*capabilities, "extensions");
    client.tasks = extensions != nullptr && declared(*extensions, tasks_extension) != nullptr;
    return client;
}

} // namespace interlock::server
