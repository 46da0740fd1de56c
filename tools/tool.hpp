// A tool, defined in one place. Input declarations are at once the JSON Schema the model sees, the
// validation, the decoder and the documentation.
#pragma once

#include "base/clock.hpp"
#include "base/db/table.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "telemetry/identity.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"
#include "tools/evidence.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

class Targets;
class EvidenceStore;
class DriftWatch;
class Sampler;

enum class InputType { text, integer, boolean, text_list, object };

struct Input {
    std::string_view name;
    InputType type = InputType::text;
    bool required = false;
    std::string_view about = {};
    long long min = 0; // integers; list length for text_list
    long long max = 0;
    std::size_t length_max = 200;               // characters of text
    std::vector<std::string_view> choices = {}; // enum for text
    std::string_view fallback = {};             // default, in text form; "" = none
    std::string_view example = {};              // shown when validation fails; JSON unless text
};

/// Validated arguments, by name; defaults filled in.
class Arguments {
public:
    void set(std::string name, std::string json_text);
    bool has(std::string_view name) const;
    std::string text(std::string_view name) const;
    long long integer(std::string_view name) const;
    bool boolean(std::string_view name) const;
    std::vector<std::string> texts(std::string_view name) const;
    /// The object's JSON text.
    std::string object(std::string_view name) const;

private:
    std::map<std::string, std::string, std::less<>> values_;
};

/// Steps done, of how many, and what was done: heard by a caller that asked for it.
using Progress = std::function<void(double done, double total, std::string_view message)>;

/// What a call has done so far, for those who count and record it; several threads of it may add.
struct CallCost {
    std::atomic<std::int64_t> database_us{0}; // time that reads of targets took

    /// A role that a target was read with. From any thread.
    void read_as(const std::string& role);
    /// All of them, in order, with commas between.
    std::string roles() const;

    // What was kept of the answer; "" = nothing.
    std::string evidence_id;
    std::string evidence_digest; // SHA-256 of its body, hexadecimal

private:
    mutable std::mutex mutex_;
    std::set<std::string> roles_;
};

/// One call, as a tool sees it.
struct Call {
    const telemetry::Identity& identity;
    const Arguments& arguments;
    std::stop_token stop;
    telemetry::Span& span;
    std::string id; // call id, also in the audit
    Progress progress = {};
    CallCost* cost = nullptr; // nullptr: nobody counts

    void spend(base::Ticks began, base::Ticks ended) const {
        if (cost != nullptr) {
            cost->database_us += std::chrono::duration_cast<base::Duration>(ended - began).count();
        }
    }
    /// Tells a step; nobody may be listening.
    void tell(double done, double total, std::string_view message) const {
        if (progress) {
            progress(done, total, message);
        }
    }
};

/// How many answers are held against their output schemas.
enum class AnswerChecks {
    all,
    /// Each tool's first and then one in 64. An answer's shape comes from the declarations that its
    /// schema is made of, and the tests check every answer; a check of each would be the dearest
    /// part of a small call, so the program only keeps watch.
    sampled,
};

/// What tools work with; made once by the program.
struct Context {
    Targets& targets;
    EvidenceStore& evidence;
    telemetry::Metrics& metrics;
    telemetry::Tracer& tracer;
    base::Clock& clock;
    base::Random& random;
    AnswerChecks checks = AnswerChecks::all;
    DriftWatch* drift = nullptr; // what tools miss on targets, where somebody keeps watch
    Sampler* sampler = nullptr;  // what targets counted lately, where somebody samples them
};

/// A fixed statement of a tool. What it needs of a target (relations, functions, columns, rights)
/// is read out of its text; see tools/drift.hpp.
struct ToolStatement {
    db::Sql sql;
    std::string_view would_tell;                  // what is lost when it cannot run
    const std::vector<Column>* columns = nullptr; // of its result, as the tool declares them
    int version_min = 0;                          // server_version_num; 0 = any
    int version_max = 0;
};

enum class NeedKind { extension, role };

/// What a tool needs of a target that its statements do not name.
struct ToolNeed {
    NeedKind kind = NeedKind::extension;
    std::string_view name; // "pg_stat_statements", "pg_read_all_stats"
    std::string_view would_tell;
    bool told_by_tool = false; // each answer of the tool says itself when it is missing
};

struct Tool {
    std::string_view name; // ^[a-z_]{1,64}$
    std::string_view title;
    std::string_view summary; // one ASCII sentence: what a model reads
    std::string_view domain;  // "orientation" | "triage" | "postgres" | "planning"
    bool read_only = true;    // readOnlyHint; false only for the two that touch the queue
    bool idempotent = true;
    /// When it takes long, the caller may be given a task and ask for the answer later.
    bool may_become_task = false;
    /// It is asked again and again until something has happened: that is no loop.
    bool waits = false;
    /// Not listed to who chose no toolsets; find_tools names it, and it may be called all the same.
    bool on_demand = false;
    std::vector<Input> inputs = {};           // `target` is declared like any other
    std::string (*output_schema)() = nullptr; // JSON Schema text of structuredContent
    std::function<base::Result<Output>(Context&, const Call&)> run = {};
    std::vector<ToolStatement> statements = {};
    std::vector<ToolNeed> needs = {};
    /// How many answers it has given; copies of a tool count together.
    std::shared_ptr<std::atomic<std::uint64_t>> answers =
        std::make_shared<std::atomic<std::uint64_t>>(0);
};

/// JSON Schema text of a tool's inputs (root object, additionalProperties false).
std::string input_schema(const Tool& tool);
/// Checks `arguments` (a JSON object) against the declarations. invalid_arguments names every path
/// that does not fit (the first few, and how many more), what was expected and what was found, and
/// its remedy shows arguments that fit.
/// `misfits`, when given, is told how many there were.
base::Result<Arguments>
validate_arguments(const Tool& tool, const base::Json& arguments, std::size_t* misfits = nullptr);

/// Every tool of this room, in the order of tools/list.
const std::vector<Tool>& catalog();

/// An error as a tool result: isError, one sentence what happened, one what to do, and the stable
/// code in structuredContent.error.
Output error_output(const base::Error& error);

} // namespace interlock::tools
