#include "cli/audit_report.hpp"

#include "base/clock.hpp"
#include "base/db/store_place.hpp"
#include "base/limits.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_scan.hpp"
#include "telemetry/index_ranges.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;
using base::Result;
using telemetry::LeafHeader;
using telemetry::Scan;
using telemetry::ScannedRecord;

constexpr std::size_t gaps_told = 100; // one by one; the rest is counted
constexpr const char* the_rest = "(other)";

/// Counts by name, for as many names as may be told; what comes later is summed up.
template <class Value>
class Named {
public:
    Value& at(const std::vector<std::string>& name) {
        const auto found = values_.find(name);
        if (found != values_.end())
            return found->second;
        if (values_.size() < base::limits::audit_report_names_max)
            return values_[name];
        return values_[std::vector<std::string>(name.size(), the_rest)];
    }
    const std::map<std::vector<std::string>, Value>& all() const { return values_; }

private:
    std::map<std::vector<std::string>, Value> values_;
};

struct Calls {
    std::uint64_t calls = 0;
    std::uint64_t schema_errors = 0;
};

struct Approvals {
    std::uint64_t decisions = 0;
    std::uint64_t approvals = 0;
    double seconds = 0; // of all, from the proposal on
    double fastest = 0;
    double slowest = 0;
};

/// The calls that brought or returned most, the largest first.
class Largest {
public:
    void add(long long bytes, std::uint64_t index, const LeafHeader& header, const Json& payload) {
        const bool full = calls_.size() == base::limits::audit_report_largest;
        if (bytes <= 0 || (full && bytes <= calls_.back().bytes))
            return;
        if (full)
            calls_.pop_back();
        const auto place = std::upper_bound(
            calls_.begin(),
            calls_.end(),
            bytes,
            [](long long size, const Call& call) { return size > call.bytes; }
        );
        const auto text = [&](const char* name) {
            return base::string_member(payload, name).value_or("");
        };
        calls_.insert(place, {bytes, index, header.time, header.actor, text("tool"), text("call")});
    }
    Json json() const {
        Json list = Json::array();
        for (const auto& call : calls_)
            list.push_back(
                {{"bytes", call.bytes},
                 {"index", call.index},
                 {"time", call.time},
                 {"actor", call.actor},
                 {"tool", call.tool},
                 {"call", call.id}}
            );
        return list;
    }

private:
    struct Call {
        long long bytes = 0;
        std::uint64_t index = 0;
        std::string time;
        std::string actor;
        std::string tool;
        std::string id;
    };
    std::vector<Call> calls_;
};

struct OpenCall {
    std::uint64_t index = 0;
    bool inside = false; // it began in the period
    std::string tool;
    std::string client;
    std::string actor;
    std::string role; // that the caller is mapped to
};

/// Ends of one caller's calls whose payloads are gone: which calls they ended is not known.
struct ErasedEnds {
    std::uint64_t count = 0;
    std::uint64_t last = 0;
};

struct Gaps {
    std::uint64_t count = 0;
    Json told = Json::array();
    void add(Json gap) {
        ++count;
        if (told.size() < gaps_told)
            told.push_back(std::move(gap));
    }
    Json json() const { return {{"count", count}, {"first", told}}; }
};

class Report {
public:
    Report(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

    void take(ScannedRecord& record) {
        if (record.index != next_)
            sequence_.add({{"first", next_}, {"last", record.index - 1}});
        next_ = record.index + 1;
        const auto header = telemetry::read_leaf_header(record.header);
        if (!header) {
            unreadable_.add(record.index);
            return;
        }
        const bool inside = header->time >= from_ && (to_.empty() || header->time < to_);
        const auto parsed =
            record.payload
                ? base::parse_json(*record.payload, base::limits::audit_payload_bytes_max)
                : Result<Json>(Json::object());
        const Json payload = parsed && parsed->is_object() ? *parsed : Json::object();
        if (!record.payload)
            missing_.add(record.index);
        if (inside) {
            ++records_;
            measure(record.index, *header, payload);
        }
        if (!record.payload && header->type == "tool.end")
            end_unknown_call(record.index, *header);
        else
            follow(record.index, *header, payload, inside);
    }

    Json json() {
        std::map<std::uint64_t, std::pair<std::string, OpenCall>> in_order;
        for (const auto& [call, open] : open_calls_)
            if (open.inside)
                in_order[open.index] = {call, open};
        for (const auto& [index, begun] : in_order) {
            const auto& [call, open] = begun;
            ++roles_.at({open.actor, open.role});
            auto& erased = erased_ends_[open.actor];
            if (erased.count > 0 && index < erased.last) {
                --erased.count;
                ends_erased_.add({{"index", index}, {"call", call}, {"tool", open.tool}});
                continue;
            }
            begins_.add({{"index", index}, {"call", call}, {"tool", open.tool}});
        }
        for (const auto& [digest, index] : running_)
            begins_.add({{"index", index}, {"plan_digest", digest}});
        for (const auto& range : missing_.without(recorded_erasures_).ranges())
            unrecorded_.add({{"first", range.first}, {"last", range.last}});
        return {
            {"from", from_},
            {"to", to_},
            {"records", records_},
            {"largest_payloads", {{"results", results_.json()}, {"arguments", arguments_.json()}}},
            {"schema_errors", schema_json()},
            {"roles", roles_json()},
            {"approvals", approvals_json()},
            {"gaps",
             {{"begins_without_end", begins_.json()},
              {"ends_erased", ends_erased_.json()},
              {"ends_without_begin", ends_.json()},
              {"missing_records", sequence_.json()},
              {"unreadable_records", unreadable_.json()},
              {"unrecorded_erasures", unrecorded_.json()},
              {"not_followed", not_followed_}}},
        };
    }

private:
    static std::string text(const Json& object, const char* name) {
        return base::string_member(object, name).value_or("");
    }

    /// What a call brought, and what it gave back: the sizes that its caller and its client saw.
    void measure(std::uint64_t index, const LeafHeader& header, const Json& payload) {
        if (header.type == "tool.end")
            results_.add(
                base::integer_member(payload, "result_bytes").value_or(0), index, header, payload
            );
        const auto* arguments =
            header.type == "tool.begin" ? base::member(payload, "arguments") : nullptr;
        if (arguments != nullptr)
            arguments_.add(
                static_cast<long long>(base::render_json(*arguments).size()), index, header, payload
            );
    }

    void follow(std::uint64_t index, const LeafHeader& header, const Json& payload, bool inside) {
        if (header.type == "tool.begin")
            begin_call(index, header, payload, inside);
        else if (header.type == "tool.end")
            end_call(index, payload, inside);
        else if (header.type == telemetry::erasure_type)
            read_erasure(payload);
        else if (!header.plan_digest.empty())
            follow_plan(index, header, inside);
    }

    void
    begin_call(std::uint64_t index, const LeafHeader& header, const Json& payload, bool inside) {
        const auto* identity = base::member(payload, "identity");
        const Json who = identity != nullptr ? *identity : Json::object();
        const auto role = text(who, "database_role");
        const auto call = text(payload, "call");
        if (call.empty() || open_calls_.size() >= base::limits::audit_calls_open_max) {
            if (inside) {
                ++not_followed_; // erased, or more at once than can be
                ++roles_.at({header.actor, role});
            }
            return;
        }
        open_calls_[call] = {
            index, inside, text(payload, "tool"), text(who, "client"), header.actor, role};
    }

    void end_unknown_call(std::uint64_t index, const LeafHeader& header) {
        if (erased_ends_.size() >= base::limits::audit_calls_open_max)
            return;
        auto& erased = erased_ends_[header.actor];
        ++erased.count;
        erased.last = index;
    }

    void end_call(std::uint64_t index, const Json& payload, bool inside) {
        const auto call = text(payload, "call");
        const auto begun = open_calls_.find(call);
        if (begun == open_calls_.end()) {
            if (inside && !call.empty() && not_followed_ == 0)
                ends_.add({{"index", index}, {"call", call}, {"tool", text(payload, "tool")}});
            return;
        }
        if (begun->second.inside) { // the end knows as whom targets were read
            const auto read_as = text(payload, "database_role");
            ++roles_.at({begun->second.actor, read_as.empty() ? begun->second.role : read_as});
        }
        if (inside) {
            auto& calls = by_tool_.at({begun->second.tool, begun->second.client});
            ++calls.calls;
            calls.schema_errors += text(payload, "outcome") == "invalid_arguments" ? 1 : 0;
        }
        open_calls_.erase(begun);
    }

    void read_erasure(const Json& payload) {
        const auto* list = base::member(payload, telemetry::erasure_ranges);
        const auto ranges =
            list != nullptr ? telemetry::IndexRanges::from_json(*list) : std::nullopt;
        if (!ranges)
            return;
        for (const auto& range : ranges->ranges())
            recorded_erasures_.add(range);
    }

    void follow_plan(std::uint64_t index, const LeafHeader& header, bool inside) {
        const auto& digest = header.plan_digest;
        if (header.type == "plan.submitted" &&
            submitted_.size() < base::limits::audit_plans_followed)
            submitted_[digest] = header.time;
        const bool approved =
            header.type == "plan.approved" || header.type == "plan.approve_counted";
        const bool other = header.type == "plan.rejected" || header.type == "plan.revoked";
        if (inside && (approved || other))
            decide(header, approved);
        if (header.type == "plan.claimed")
            running_[digest] = index;
        else if (ends_run(header.type))
            running_.erase(digest);
    }

    static bool ends_run(const std::string& type) {
        return type == "plan.finished" || type == "plan.aborted_clean" ||
               type == "plan.succeeded" || type == "plan.rolled_back" ||
               type == "plan.needs_human" || type == "plan.closed";
    }

    void decide(const LeafHeader& header, bool approved) {
        auto& person = approvals_.at({header.actor});
        ++person.decisions;
        const auto submitted = submitted_.find(header.plan_digest);
        if (!approved || submitted == submitted_.end())
            return;
        const auto asked = base::parse_time(submitted->second);
        const auto answered = base::parse_time(header.time);
        if (!asked || !answered)
            return;
        const double seconds = std::chrono::duration<double>(*answered - *asked).count();
        person.fastest = person.approvals == 0 ? seconds : std::min(person.fastest, seconds);
        person.slowest = std::max(person.slowest, seconds);
        person.seconds += seconds;
        ++person.approvals;
    }

    Json schema_json() const {
        Json list = Json::array();
        for (const auto& [name, calls] : by_tool_.all())
            list.push_back(
                {{"tool", name[0]},
                 {"client", name[1]},
                 {"calls", calls.calls},
                 {"schema_errors", calls.schema_errors},
                 {"rate",
                  calls.calls == 0 ? 0.0
                                   : static_cast<double>(calls.schema_errors) /
                                         static_cast<double>(calls.calls)}}
            );
        return list;
    }
    Json roles_json() const {
        Json list = Json::array();
        for (const auto& [name, calls] : roles_.all())
            list.push_back({{"subject", name[0]}, {"database_role", name[1]}, {"calls", calls}});
        return list;
    }
    Json approvals_json() const {
        Json list = Json::array();
        for (const auto& [name, person] : approvals_.all()) {
            Json entry = {
                {"person", name[0]},
                {"decisions", person.decisions},
                {"approvals", person.approvals}};
            if (person.approvals > 0) {
                entry["seconds"] = {
                    {"fastest", person.fastest},
                    {"mean", person.seconds / static_cast<double>(person.approvals)},
                    {"slowest", person.slowest}};
            }
            list.push_back(std::move(entry));
        }
        return list;
    }

    const std::string from_;
    const std::string to_;
    std::uint64_t next_ = 0;
    std::uint64_t records_ = 0;
    Largest results_;
    Largest arguments_;
    Named<Calls> by_tool_;
    Named<std::uint64_t> roles_;
    Named<Approvals> approvals_;
    std::unordered_map<std::string, OpenCall> open_calls_;
    std::unordered_map<std::string, ErasedEnds> erased_ends_; // by caller
    std::map<std::string, std::string> submitted_;            // plan digest -> when
    std::map<std::string, std::uint64_t> running_;            // plan digest -> its claim
    telemetry::IndexRanges missing_;
    telemetry::IndexRanges recorded_erasures_;
    Gaps begins_;
    Gaps ends_erased_;
    Gaps ends_;
    Gaps sequence_;
    Gaps unreadable_;
    Gaps unrecorded_;
    std::uint64_t not_followed_ = 0;
};

void print_gaps(const Json& gaps, const char* name, const char* about) {
    const auto* gap = base::member(gaps, name);
    const auto count = gap != nullptr ? base::integer_member(*gap, "count").value_or(0) : 0;
    const std::string line = std::to_string(count) + "  " + about;
    print_line("  " + (count == 0 ? line : coloured(Colour::red, line)));
}

std::string shown(const Json& object, const char* name) {
    const auto text = base::string_member(object, name).value_or("");
    return base::cut_middle(base::escape_non_ascii(base::sanitize(text.empty() ? "-" : text)), 60);
}

std::string number(const Json& object, const char* name) {
    const auto* found = base::member(object, name);
    return found == nullptr ? "-" : found->dump();
}

void print_largest(const Json& calls, const char* title) {
    print_line(coloured(Colour::bold, title));
    for (const auto& call : calls) {
        print_line(
            "  " + number(call, "bytes") + " bytes  " + shown(call, "tool") + "  asked by " +
            shown(call, "actor") + "  record " + number(call, "index")
        );
    }
}

void print_report(const Json& found) {
    print_line(coloured(Colour::bold, number(found, "records") + " records in the period"));
    print_largest(found["largest_payloads"]["results"], "Largest results of calls");
    print_largest(found["largest_payloads"]["arguments"], "Largest arguments of calls");
    print_line(coloured(Colour::bold, "Calls whose arguments did not fit, by tool and client"));
    for (const auto& tool : found["schema_errors"]) {
        print_line(
            "  " + number(tool, "schema_errors") + " of " + number(tool, "calls") + "  " +
            shown(tool, "tool") + "  " + shown(tool, "client")
        );
    }
    print_line(coloured(Colour::bold, "Who ran as which database role"));
    for (const auto& role : found["roles"]) {
        print_line(
            "  " + number(role, "calls") + " calls  " + shown(role, "subject") + "  as " +
            shown(role, "database_role")
        );
    }
    print_line(coloured(Colour::bold, "Decisions by person, and seconds from proposal to approval")
    );
    for (const auto& person : found["approvals"]) {
        const auto* seconds = base::member(person, "seconds");
        print_line(
            "  " + number(person, "decisions") + " decisions, " + number(person, "approvals") +
            " approvals  " + shown(person, "person") +
            (seconds == nullptr
                 ? ""
                 : "  fastest " + number(*seconds, "fastest") + "  mean " +
                       number(*seconds, "mean") + "  slowest " + number(*seconds, "slowest"))
        );
    }
    print_line(coloured(Colour::bold, "Gaps"));
    const Json& gaps = found["gaps"];
    print_gaps(gaps, "begins_without_end", "calls or runs that began and did not end (yet)");
    print_gaps(gaps, "ends_erased", "calls that began and whose end, if there is one, was erased");
    print_gaps(gaps, "ends_without_begin", "calls that ended and never began");
    print_gaps(gaps, "missing_records", "stretches of missing records");
    print_gaps(gaps, "unreadable_records", "records that cannot be read");
    print_gaps(gaps, "unrecorded_erasures", "stretches of payloads missing without a record");
}

} // namespace

base::Result<base::Json>
make_audit_report(db::Store& store, const std::string& from, const std::string& to) {
    Report report(from, to);
    telemetry::AuditScan everything; // who began before the period may end in it
    everything.payloads = true;
    INTERLOCK_CHECK(telemetry::scan_audit(
        store,
        everything,
        [&](ScannedRecord& record) -> Result<Scan> {
            report.take(record);
            return Scan::go_on;
        }
    ));
    return report.json();
}

Exit report_audit(const ReportOptions& options) {
    const auto made = [&]() -> Result<Json> {
        base::SystemClock clock;
        std::string from = options.from;
        std::string to = options.to;
        for (std::string* time : {&from, &to}) {
            if (!time->empty()) {
                INTERLOCK_TRY(const auto parsed, base::parse_time(*time));
                *time = base::format_time(parsed);
            }
        }
        INTERLOCK_TRY(
            const auto store,
            db::open_store(
                base::StateDirectory{options.state_directory}, db::StoreMode::read_only, clock
            )
        );
        return make_audit_report(*store, from, to);
    }();
    if (!made) {
        return report(made.error(), options.json);
    }
    if (options.json) {
        print_json(*made);
    } else {
        print_report(*made);
    }
    return Exit::ok;
}

} // namespace interlock::cli
