// What a server offers over MCP: tools, resources, prompts, completions, with their handlers. The
// diagnostic server and the conformance program differ in nothing but the Offer they are given.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "server/access.hpp"
#include "server/conversation.hpp"
#include "server/era.hpp"
#include "server/jsonrpc.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::server {

/// The handler waits for the client's input: what it asked stands in the conversation.
struct InputRequired {};

template <class Answer>
using Outcome = std::variant<Answer, InputRequired, RpcError>;

/// What a call left that its answer may not tell: for the audit log and the identity log.
struct CallTrail {
    std::string database_roles;  // that targets were read with, commas between; "" = none was read
    std::string evidence_id;     // of what was kept of the answer; "" = nothing
    std::string evidence_digest; // SHA-256 of what was kept, hexadecimal
};

struct ToolAnswer {
    std::string content;    // JSON text of an array of content blocks
    std::string structured; // JSON text of structuredContent; "" = none
    bool is_error = false;
    std::string error_code = {}; // the stable code, for metrics and audit; "" unless is_error
    base::Duration database{};   // what reads of targets took, for the supervisor
    CallTrail trail = {};
};

enum class TaskSupport {
    never,
    when_slow, // becomes a task when it takes longer than limits::task_after
    always,    // at once, for clients that know tasks; others wait for the answer
    required,  // only as a task: clients that do not know tasks get -32021
};

struct OfferedTool {
    std::string name;
    std::string title;
    std::string description;
    std::string domain;        // its toolset, and its scope (scope_of); "" = always shown, no scope
    std::string input_schema;  // JSON text, shown verbatim
    std::string output_schema; // "" = none
    /// Both schemas are code, without x-mcp-header, and the tests hold what check_tool would: each
    /// start is spared reading them.
    bool schemas_tested = false;
    bool read_only = true;
    bool destructive = false;
    bool idempotent = true;
    bool open_world = false;
    std::string required_capability = {}; // "sampling", "elicitation", "roots"; "" = none
    TaskSupport tasks = TaskSupport::never;
    bool waits = false; // asked again until something has happened: no loop, for the supervisor
    /// Listed only to callers that chose toolsets. Everybody who may see its domain may call it.
    bool on_demand = false;
    std::function<Outcome<ToolAnswer>(Conversation&, const base::Json& arguments)> run = {};
    /// A call's arguments (an object) as people may see them: JSON text. Empty: only their number.
    std::function<std::string(const base::Json& arguments)> shown_arguments = {};
};

struct OfferedResource {
    std::string uri;
    std::string name;
    std::string title;
    std::string description;
    std::string mime_type;
};

struct OfferedTemplate {
    std::string uri_template; // RFC 6570
    std::string name;
    std::string title;
    std::string description;
    std::string mime_type;
};

struct ResourceAnswer {
    std::string contents; // JSON text of an array, never of an empty one
};

struct PromptArgument {
    std::string name;
    std::string description;
    bool required = false;
};

/// Arguments of a prompt, in the order of their declaration; absent optional ones are left out.
using PromptValues = std::vector<std::pair<std::string, std::string>>;

struct PromptAnswer {
    std::string description;
    std::string messages; // JSON text of an array
};

struct OfferedPrompt {
    std::string name;
    std::string title;
    std::string description;
    std::vector<PromptArgument> arguments;
    std::function<Outcome<PromptAnswer>(Conversation&, const PromptValues&)> run = {};
};

struct CompletionRequest {
    bool of_prompt = false; // else of a resource template
    std::string reference;  // the prompt's name or the template
    std::string argument;
    std::string value;
    PromptValues context; // what is filled in already
};

struct Completion {
    std::vector<std::string> values; // at most limits::completions_max are shown
    std::optional<std::size_t> total;
    base::Duration database{}; // what looking for them took of targets, as of a tool's answer
};

/// Why a resource is not there, in both eras' codes (protocol turns it into -32602 or -32002).
RpcError resource_not_found(const std::string& uri);
inline constexpr int resource_missing = 1; // RpcError.code of resource_not_found, never on the wire

struct Offer {
    std::string name; // serverInfo
    std::string title;
    std::string version;
    std::string instructions;
    std::vector<OfferedTool> tools;
    /// What resources/list shows; empty = nothing. Asked once, when somebody lists: making it may
    /// cost more than the whole start. Of two with one address the first is shown.
    std::function<std::vector<OfferedResource>()> resources = {};
    std::vector<OfferedTemplate> templates;
    std::vector<OfferedPrompt> prompts;
    /// Every resource, listed or not. resource_not_found when it is not there for this caller.
    std::function<Outcome<ResourceAnswer>(Conversation&, const std::string& uri)> read = {};
    std::function<Outcome<Completion>(Conversation&, const CompletionRequest&)> complete = {};
    /// Whether changes of this resource can be told to this caller; empty = of none. May look at a
    /// disk: asked on a worker.
    std::function<bool(const Access&, const std::string& uri)> watchable = {};
    bool logging = false; // handlers use Conversation::log
    bool changes = false; // lists may change while clients are connected: listChanged
};

/// The scope a tool's domain needs: "interlock:" + domain; "" for "".
std::string scope_of(std::string_view domain);

/// A parameter that is mirrored in an HTTP header (x-mcp-header in the tool's schema).
struct HeaderParameter {
    std::vector<std::string> path; // property names from the root of the arguments
    std::string header;            // lower-case: "mcp-param-..."
    bool is_string = false;
    bool is_integer = false; // neither: boolean
};

/// One list, rendered once; a page at a time, in both eras.
class RenderedList {
public:
    /// `member`: "tools"; `entries`: JSON texts. Pages of limits::list_page entries.
    RenderedList(std::string_view member, const std::vector<std::string>& entries, const Offer&);
    RenderedList() = default;
    /// The result of a list request, as JSON text; `cursor` as it came. nullptr: no such cursor.
    const std::string* page(Era era, const std::optional<std::string>& cursor) const;
    /// Whether both show the same entries.
    friend bool operator==(const RenderedList& left, const RenderedList& right) {
        return left.digest_ == right.digest_;
    }

private:
    std::vector<std::string> legacy_;
    std::vector<std::string> modern_;
    std::string digest_; // cursors of another list are refused
};

/// An Offer checked and rendered: immutable, shared by the calls that began under it.
class CompiledOffer {
public:
    /// invalid_input names a tool whose schema or x-mcp-header annotation is not valid, or a name
    /// that is taken twice.
    static base::Result<std::shared_ptr<const CompiledOffer>> compile(Offer offer);

    const Offer& offer() const { return offer_; }
    /// nullptr: unknown, or not shown to this caller.
    const OfferedTool* tool(std::string_view name, const Access& access) const;
    const OfferedPrompt* prompt(std::string_view name) const;
    const std::vector<HeaderParameter>& header_parameters(const OfferedTool& tool) const;

    /// Ready bytes; tools are those `access` shows: without a choice of toolsets, none on demand.
    /// nullopt: no such cursor.
    std::optional<std::string>
    list_tools(Era era, const Access& access, const std::optional<std::string>& cursor) const;
    /// The same without a copy: the list of what `access` shows. Valid while this offer lives.
    std::shared_ptr<const RenderedList> tools_shown(const Access& access) const;
    const RenderedList& tools() const { return tools_; }
    /// Rendered when first asked for.
    const RenderedList& resources() const;
    const RenderedList& templates() const { return templates_; }
    const RenderedList& prompts() const { return prompts_; }
    /// Results of initialize (for a negotiated version) and server/discover, as JSON text.
    std::string initialize_result(std::string_view version) const;
    const std::string& discover_result() const { return discover_; }
    /// "resultType":"complete","_meta":{...serverInfo}: what every modern result carries, ready to
    /// be spliced in. The second: the same for another resultType.
    const std::string& modern_members() const { return modern_members_; }
    std::string modern_members(std::string_view result_type) const;
    /// Whether a tool can become a task, so that the tasks extension is spoken.
    bool has_tasks() const { return has_tasks_; }
    /// Whether there are resources of any kind to list or read.
    bool has_resources() const;

private:
    CompiledOffer() = default;
    base::Status check_and_render_tools();
    void render();

    Offer offer_;
    bool has_tasks_ = false;
    std::vector<std::string> rendered_tools_; // in the order of offer_.tools
    std::vector<std::vector<HeaderParameter>> header_parameters_;
    RenderedList tools_;  // all of them, on demand or not
    RenderedList listed_; // those that are not on demand
    mutable std::once_flag resources_once_;
    mutable RenderedList resources_;
    RenderedList templates_;
    RenderedList prompts_;
    std::string capabilities_legacy_;
    std::string capabilities_modern_;
    std::string discover_;
    std::string modern_members_;
    // Lists for callers that are shown a part, by which tools they see. Few in practice: one for
    // each choice of toolsets.
    mutable std::mutex shown_mutex_;
    mutable std::map<std::vector<bool>, std::shared_ptr<const RenderedList>> shown_;
};

/// "ttlMs":...,"cacheScope":"private": what the cacheable modern results carry, ready to be spliced
/// in. Private always: what is shown may depend on the caller, and `public` would let
/// intermediaries share it.
std::string cache_members(std::chrono::milliseconds lifetime);

} // namespace interlock::server
