// Resources of the fixture catalogue: a text, a blob, one that changes, and a template.
#include "tests/conformance/content.hpp"
#include "tests/conformance/fixtures.hpp"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

namespace interlock::conformance {
namespace {

using base::Json;
using server::Outcome;
using server::ResourceAnswer;

constexpr const char* text_uri = "test://static-text";
constexpr const char* binary_uri = "test://static-binary";
constexpr std::string_view template_begin = "test://template/";
constexpr std::string_view template_end = "/data";

/// The id in a URI of the template; "" when it is none.
std::string template_id(std::string_view uri) {
    if (uri.size() <= template_begin.size() + template_end.size() ||
        !uri.starts_with(template_begin) || !uri.ends_with(template_end)) {
        return "";
    }
    uri.remove_prefix(template_begin.size());
    uri.remove_suffix(template_end.size());
    return std::string(uri);
}

ResourceAnswer
contents(const std::string& uri, const char* mime, const char* member, const std::string& data) {
    return {base::render_json(Json::array({{{"uri", uri}, {"mimeType", mime}, {member, data}}}))};
}

Outcome<ResourceAnswer> read(const std::string& uri, const Changes& changes) {
    if (uri == text_uri) {
        return contents(
            uri, "text/plain", "text", "This is the content of the static text resource."
        );
    }
    if (uri == binary_uri) {
        return contents(uri, "image/png", "blob", png());
    }
    if (uri == watched_uri) {
        return contents(uri, "text/plain", "text", changes.watched_text());
    }
    if (const std::string id = template_id(uri); !id.empty()) {
        const Json data{{"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}};
        return contents(uri, "application/json", "text", base::render_json(data));
    }
    return server::resource_not_found(uri);
}

/// Of `candidates`, those that begin with what is typed already.
server::Completion
completion(const std::vector<std::string>& candidates, const std::string& typed) {
    server::Completion found;
    std::copy_if(
        candidates.begin(),
        candidates.end(),
        std::back_inserter(found.values),
        [&](const std::string& each) { return each.starts_with(typed); }
    );
    found.total = found.values.size();
    return found;
}

} // namespace

void add_resources(server::Offer& offer, const Changes& changes) {
    offer.resources = [] {
        return std::vector<server::OfferedResource>{
            {text_uri, "static-text", "Static text", "A text that stays.", "text/plain"},
            {binary_uri, "static-binary", "Static binary", "An image that stays.", "image/png"},
            {watched_uri, "watched-resource", "Watched", "A text that changes.", "text/plain"},
        };
    };
    offer.templates = {
        {"test://template/{id}/data", "template", "Template", "Data by id.", "application/json"},
    };
    offer.read = [&changes](server::Conversation&, const std::string& uri) {
        return read(uri, changes);
    };
    offer.watchable = [](const server::Access&, const std::string& uri) {
        return uri == watched_uri;
    };
    offer.complete = [](server::Conversation&,
                        const server::CompletionRequest& request) -> Outcome<server::Completion> {
        if (request.of_prompt) {
            return completion({"paris", "park", "party"}, request.value);
        }
        return completion({"1", "12", "123"}, request.value);
    };
}

} // namespace interlock::conformance
