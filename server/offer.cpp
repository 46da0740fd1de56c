#include "server/offer.hpp"

#include "base/digest.hpp"
#include "base/json_string.hpp"
#include "base/limits.hpp"
#include "server/header_parameters.hpp"
#include "server/offered_schema.hpp"
#include "server/one_line.hpp"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::size_t digest_chars = 16;

/// `,"name":"text"`, or nothing for no text.
std::string text_member(std::string_view name, std::string_view text) {
    return text.empty() ? "" : ",\"" + std::string(name) + "\":" + base::json_string(text);
}

Json server_info(const Offer& offer) {
    Json info{{"name", offer.name}, {"version", offer.version}};
    if (!offer.title.empty()) {
        info["title"] = offer.title;
    }
    return info;
}

std::string members_of_result(const Offer& offer, std::string_view result_type) {
    const Json fields{{meta::server, server_info(offer)}};
    return R"("resultType":)" + base::json_string(result_type) + R"(,"_meta":)" +
           base::render_json(fields);
}

/// Schemas are spliced in as they are, so that the order their author chose reaches the model.
std::string render_tool(const OfferedTool& tool) {
    Json annotations{
        {"readOnlyHint", tool.read_only},
        {"destructiveHint", tool.destructive},
        {"idempotentHint", tool.idempotent},
        {"openWorldHint", tool.open_world}};
    if (!tool.title.empty()) {
        annotations["title"] = tool.title;
    }
    std::string out = R"({"name":)" + base::json_string(tool.name) +
                      text_member("title", tool.title) +
                      text_member("description", tool.description) + R"(,"inputSchema":)" +
                      one_line(tool.input_schema);
    if (!tool.output_schema.empty()) {
        out += R"(,"outputSchema":)" + one_line(tool.output_schema);
    }
    return out + R"(,"annotations":)" + base::render_json(annotations) + "}";
}

/// Resources and templates differ in how their address is called.
template <class Entry>
std::string render_resource(const Entry& entry, const char* address, const std::string& value) {
    return std::string("{\"") + address + "\":" + base::json_string(value) + R"(,"name":)" +
           base::json_string(entry.name) + text_member("title", entry.title) +
           text_member("description", entry.description) +
           text_member("mimeType", entry.mime_type) + "}";
}

std::string render_prompt(const OfferedPrompt& prompt) {
    Json arguments = Json::array();
    for (const PromptArgument& argument : prompt.arguments) {
        Json one{{"name", argument.name}, {"required", argument.required}};
        if (!argument.description.empty()) {
            one["description"] = argument.description;
        }
        arguments.push_back(std::move(one));
    }
    std::string out = R"({"name":)" + base::json_string(prompt.name) +
                      text_member("title", prompt.title) +
                      text_member("description", prompt.description);
    if (!arguments.empty()) {
        out += R"(,"arguments":)" + base::render_json(arguments);
    }
    return out + "}";
}

template <class Entry, class Render>
std::vector<std::string> render_all(const std::vector<Entry>& entries, Render render) {
    std::vector<std::string> out;
    std::transform(entries.begin(), entries.end(), std::back_inserter(out), render);
    return out;
}

/// What works, and nothing else.
Json capabilities(const CompiledOffer& compiled, Era era) {
    const Offer& offer = compiled.offer();
    const Json changing = offer.changes ? Json{{"listChanged", true}} : Json::object();
    Json out = Json::object();
    if (!offer.tools.empty()) {
        out["tools"] = changing;
    }
    if (compiled.has_resources()) {
        out["resources"] = changing;
        if (offer.watchable) {
            out["resources"]["subscribe"] = true;
        }
    }
    if (!offer.prompts.empty()) {
        out["prompts"] = changing;
    }
    if (offer.complete) {
        out["completions"] = Json::object();
    }
    if (offer.logging) {
        out["logging"] = Json::object();
    }
    if (era == Era::modern && compiled.has_tasks()) {
        out["extensions"] = Json{{tasks_extension, Json::object()}};
    }
    return out;
}

Error refused(const std::string& what) {
    return Error{Errc::invalid_input, what, "Mend its definition."};
}

/// "" when every name stands once.
template <class Entry>
std::string first_twice(const std::vector<Entry>& entries, std::string Entry::*name) {
    std::set<std::string_view> seen;
    for (const Entry& entry : entries) {
        if (!seen.insert(entry.*name).second) {
            return entry.*name;
        }
    }
    return {};
}

base::Status check_names(const Offer& offer) {
    for (const std::string& twice :
         {first_twice(offer.tools, &OfferedTool::name),
          first_twice(offer.prompts, &OfferedPrompt::name),
          first_twice(offer.templates, &OfferedTemplate::uri_template)}) {
        if (!twice.empty()) {
            return refused("Two things are offered as `" + twice + "`.");
        }
    }
    return base::done;
}

bool is_tool_name(std::string_view name) {
    constexpr std::string_view marks = "_.-/";
    return !name.empty() && name.size() <= base::limits::tool_name_chars_max &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      marks.find(c) != std::string_view::npos;
           });
}

bool is_capability(std::string_view name) {
    return name.empty() || name == "sampling" || name == "elicitation" || name == "roots";
}

/// The annotations of its input schema.
base::Result<std::vector<HeaderParameter>> check_tool(const OfferedTool& tool) {
    const auto of_tool = [&](const Error& error) {
        return Error{error.code, "Tool `" + tool.name + "`: " + error.what, error.remedy};
    };
    if (!is_tool_name(tool.name)) {
        return refused("`" + tool.name + "` is no name of a tool: 1 to 64 of A-Z a-z 0-9 _ . - /");
    }
    if (!is_capability(tool.required_capability)) {
        return of_tool(refused("there is no client capability `" + tool.required_capability + "`.")
        );
    }
    if (tool.schemas_tested) {
        return std::vector<HeaderParameter>{};
    }
    const auto input = read_offered_schema(tool.input_schema);
    if (!input) {
        return of_tool(input.error());
    }
    if (!tool.output_schema.empty()) {
        if (const auto output = read_offered_schema(tool.output_schema); !output) {
            return of_tool(output.error());
        }
    }
    auto parameters = read_header_parameters(input.value());
    if (!parameters) {
        return of_tool(parameters.error());
    }
    return parameters;
}

} // namespace

std::string scope_of(std::string_view domain) {
    return domain.empty() ? std::string{} : "interlock:" + std::string(domain);
}

RpcError resource_not_found(const std::string& uri) {
    return RpcError{
        resource_missing, "There is no such resource.", base::render_json(Json{{"uri", uri}})};
}

std::string cache_members(std::chrono::milliseconds lifetime) {
    return R"("ttlMs":)" + std::to_string(lifetime.count()) + R"(,"cacheScope":"private")";
}

RenderedList::RenderedList(
    std::string_view member, const std::vector<std::string>& entries, const Offer& offer
) {
    constexpr std::size_t size = base::limits::list_page;
    std::string whole(member);
    for (const std::string& entry : entries) {
        whole += '\n' + entry;
    }
    digest_ = base::hex(base::sha256(whole)).substr(0, digest_chars);
    const std::string modern = "," + cache_members(base::limits::list_lifetime) + "," +
                               members_of_result(offer, "complete") + "}";
    const std::size_t pages = std::max<std::size_t>(1, (entries.size() + size - 1) / size);
    for (std::size_t page = 0; page < pages; ++page) {
        std::string out = "{\"" + std::string(member) + "\":[";
        for (std::size_t i = page * size; i < std::min(entries.size(), (page + 1) * size); ++i) {
            out += (out.back() == '[' ? "" : ",") + entries[i];
        }
        out += "]";
        if (page + 1 < pages) {
            out += R"(,"nextCursor":")" + digest_ + "-" + std::to_string(page + 1) + "\"";
        }
        legacy_.push_back(out + "}");
        modern_.push_back(out + modern);
    }
}

const std::string* RenderedList::page(Era era, const std::optional<std::string>& cursor) const {
    const auto& pages = era == Era::modern ? modern_ : legacy_;
    for (std::size_t number = 0; number < pages.size(); ++number) {
        // The first page has no cursor: nothing we gave out names it.
        const bool wanted =
            cursor ? number > 0 && *cursor == digest_ + "-" + std::to_string(number) : number == 0;
        if (wanted) {
            return &pages[number];
        }
    }
    return nullptr;
}

base::Result<std::shared_ptr<const CompiledOffer>> CompiledOffer::compile(Offer offer) {
    INTERLOCK_CHECK(check_names(offer));
    std::shared_ptr<CompiledOffer> compiled(new CompiledOffer());
    compiled->offer_ = std::move(offer);
    INTERLOCK_CHECK(compiled->check_and_render_tools());
    compiled->render();
    return std::shared_ptr<const CompiledOffer>(std::move(compiled));
}

base::Status CompiledOffer::check_and_render_tools() {
    for (const OfferedTool& tool : offer_.tools) {
        INTERLOCK_TRY(auto parameters, check_tool(tool));
        header_parameters_.push_back(std::move(parameters));
        rendered_tools_.push_back(render_tool(tool));
        has_tasks_ = has_tasks_ || tool.tasks != TaskSupport::never;
    }
    return base::done;
}

void CompiledOffer::render() {
    tools_ = RenderedList("tools", rendered_tools_, offer_);
    std::vector<std::string> listed;
    for (std::size_t i = 0; i < offer_.tools.size(); ++i) {
        if (!offer_.tools[i].on_demand) {
            listed.push_back(rendered_tools_[i]);
        }
    }
    listed_ = RenderedList("tools", listed, offer_);
    const auto resource_template = [](const OfferedTemplate& entry) {
        return render_resource(entry, "uriTemplate", entry.uri_template);
    };
    templates_ =
        RenderedList("resourceTemplates", render_all(offer_.templates, resource_template), offer_);
    prompts_ = RenderedList("prompts", render_all(offer_.prompts, render_prompt), offer_);
    capabilities_legacy_ = base::render_json(capabilities(*this, Era::legacy));
    capabilities_modern_ = base::render_json(capabilities(*this, Era::modern));
    modern_members_ = modern_members("complete");
    // Only modern versions: an older one named here would invite a modern envelope around it.
    discover_ = "{\"supportedVersions\":[" + base::json_string(modern_version) +
                R"(],"capabilities":)" + capabilities_modern_ +
                text_member("instructions", offer_.instructions) + "," +
                cache_members(base::limits::list_lifetime) + "," + modern_members_ + "}";
}

const RenderedList& CompiledOffer::resources() const {
    std::call_once(resources_once_, [this] {
        std::vector<std::string> rendered;
        std::set<std::string> seen;
        for (const OfferedResource& entry :
             offer_.resources ? offer_.resources() : std::vector<OfferedResource>{}) {
            if (seen.insert(entry.uri).second) {
                rendered.push_back(render_resource(entry, "uri", entry.uri));
            }
        }
        resources_ = RenderedList("resources", rendered, offer_);
    });
    return resources_;
}

bool CompiledOffer::has_resources() const {
    return offer_.read || offer_.resources || !offer_.templates.empty();
}

const OfferedTool* CompiledOffer::tool(std::string_view name, const Access& access) const {
    const auto found =
        std::find_if(offer_.tools.begin(), offer_.tools.end(), [&](const OfferedTool& tool) {
            return tool.name == name;
        });
    return found != offer_.tools.end() && access.shows(found->domain) ? &*found : nullptr;
}

const OfferedPrompt* CompiledOffer::prompt(std::string_view name) const {
    const auto found = std::find_if(
        offer_.prompts.begin(),
        offer_.prompts.end(),
        [&](const OfferedPrompt& prompt) { return prompt.name == name; }
    );
    return found != offer_.prompts.end() ? &*found : nullptr;
}

const std::vector<HeaderParameter>& CompiledOffer::header_parameters(const OfferedTool& tool
) const {
    const auto index = static_cast<std::size_t>(&tool - offer_.tools.data());
    assert(index < header_parameters_.size()); // it is one of ours
    return header_parameters_[index];
}

std::shared_ptr<const RenderedList> CompiledOffer::tools_shown(const Access& access) const {
    if (!access.toolsets) { // almost everybody
        return {std::shared_ptr<const void>(), &listed_};
    }
    std::vector<bool> shown;
    for (const OfferedTool& tool : offer_.tools) {
        shown.push_back(access.shows(tool.domain));
    }
    if (std::find(shown.begin(), shown.end(), false) == shown.end()) {
        return {std::shared_ptr<const void>(), &tools_};
    }
    const std::lock_guard lock(shown_mutex_);
    if (const auto found = shown_.find(shown); found != shown_.end()) {
        return found->second;
    }
    std::vector<std::string> entries;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (shown[i]) {
            entries.push_back(rendered_tools_[i]);
        }
    }
    auto list = std::make_shared<const RenderedList>("tools", entries, offer_);
    if (shown_.size() < base::limits::lists_ready_max) {
        shown_.emplace(std::move(shown), list);
    }
    return list;
}

std::optional<std::string> CompiledOffer::list_tools(
    Era era, const Access& access, const std::optional<std::string>& cursor
) const {
    const auto list = tools_shown(access);
    const std::string* page = list->page(era, cursor);
    return page != nullptr ? std::optional(*page) : std::nullopt;
}

std::string CompiledOffer::initialize_result(std::string_view version) const {
    return R"({"protocolVersion":)" + base::json_string(version) + R"(,"capabilities":)" +
           capabilities_legacy_ + R"(,"serverInfo":)" + base::render_json(server_info(offer_)) +
           text_member("instructions", offer_.instructions) + "}";
}

std::string CompiledOffer::modern_members(std::string_view result_type) const {
    return members_of_result(offer_, result_type);
}

} // namespace interlock::server
