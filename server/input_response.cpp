#include "server/input_response.hpp"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

bool answers_elicitation(const Json& response) {
    const std::string action = base::string_member(response, "action").value_or("");
    const Json* content = base::member(response, "content");
    const bool known = action == "accept" || action == "decline" || action == "cancel";
    return known && (content == nullptr || content->is_object());
}

bool answers_sampling(const Json& response) {
    const std::string role = base::string_member(response, "role").value_or("");
    const Json* content = base::member(response, "content");
    return (role == "assistant" || role == "user") && content != nullptr &&
           (content->is_object() || content->is_array());
}

bool answers_roots(const Json& response) {
    const Json* roots = base::member(response, "roots");
    return roots != nullptr && roots->is_array() &&
           std::all_of(roots->begin(), roots->end(), [](const Json& root) {
               return base::string_member(root, "uri").has_value();
           });
}

} // namespace

bool answers_question(std::string_view method, const Json& response) {
    if (!response.is_object()) {
        return false;
    }
    return (method == "elicitation/create" && answers_elicitation(response)) ||
           (method == "sampling/createMessage" && answers_sampling(response)) ||
           (method == "roots/list" && answers_roots(response));
}

} // namespace interlock::server
