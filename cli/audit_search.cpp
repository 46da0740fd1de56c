#include "cli/audit_search.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/audit_incident.hpp"
#include "telemetry/audit_scan.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;
using base::Result;
using telemetry::LeafHeader;
using telemetry::Scan;
using telemetry::ScannedRecord;

struct Match {
    std::uint64_t index = 0;
    LeafHeader header;
    std::optional<std::string> payload;
};

struct Page {
    std::vector<Match> matches;
    bool more = false; // at least one more follows the last
};

/// Which tool a record is about; "" when none, or erased.
std::string tool_of(const Json& payload) {
    return base::string_member(payload, "tool").value_or("");
}
/// A call names its target among its arguments, a plan beside what it says.
std::string target_of(const Json& payload) {
    const auto* arguments = base::member(payload, "arguments");
    const auto in_call =
        arguments != nullptr ? base::string_member(*arguments, "target") : std::nullopt;
    return in_call ? *in_call : base::string_member(payload, "target").value_or("");
}

bool header_matches(const SearchOptions& options, const LeafHeader& header) {
    const auto is = [](const std::string& wanted, const std::string& found) {
        return wanted.empty() || wanted == found;
    };
    return is(options.actor, header.actor) && is(options.type, header.type) &&
           (options.from.empty() || header.time >= options.from) &&
           (options.to.empty() || header.time < options.to);
}

/// `is_of_incident`: the record is of a plan that is.
bool payload_matches(
    const SearchOptions& options, const std::optional<std::string>& payload, bool is_of_incident
) {
    const bool asks_incident = !options.incident.empty() && !is_of_incident;
    if (options.text.empty() && options.tool.empty() && options.target.empty() && !asks_incident)
        return true;
    if (!payload)
        return false;
    if (!options.text.empty() &&
        base::lower_ascii(*payload).find(base::lower_ascii(options.text)) == std::string::npos)
        return false;
    if (options.tool.empty() && options.target.empty() && !asks_incident)
        return true;
    const auto parsed = base::parse_json(*payload, base::limits::audit_payload_bytes_max);
    return parsed && (options.tool.empty() || tool_of(*parsed) == options.tool) &&
           (options.target.empty() || target_of(*parsed) == options.target) &&
           (!asks_incident || incident_of(*parsed) == options.incident);
}

Result<std::string> digest_of(db::Store& store, const std::string& plan_id) {
    base::SystemRandom random;
    approval::Queue queue(store, random);
    INTERLOCK_TRY(const auto plan, queue.get(plan_id));
    return plan.digest;
}

Result<std::string> in_log_form(const std::string& time) {
    if (time.empty())
        return std::string();
    INTERLOCK_TRY(const auto parsed, base::parse_time(time));
    return base::format_time(parsed);
}

Result<Page> search(SearchOptions options) {
    if (options.limit == 0 || options.limit > base::limits::audit_read_max)
        return base::Error{
            base::Errc::invalid_arguments,
            "A page holds 1 to " + std::to_string(base::limits::audit_read_max) + " records.",
            "Give such a --limit and go on with --after."};
    INTERLOCK_TRY(options.from, in_log_form(options.from));
    INTERLOCK_TRY(options.to, in_log_form(options.to));
    base::SystemClock clock;
    INTERLOCK_TRY(
        const auto store,
        db::open_store(
            base::StateDirectory{options.state_directory}, db::StoreMode::read_only, clock
        )
    );
    telemetry::AuditScan what;
    what.first = static_cast<std::uint64_t>(std::max(options.after + 1, 0LL));
    what.type = options.type;
    what.payloads = true;
    if (!options.plan_id.empty()) {
        INTERLOCK_TRY(what.plan_digest, digest_of(*store, options.plan_id));
    }
    std::map<std::string, std::string> of_incident;
    if (!options.incident.empty()) {
        INTERLOCK_TRY(of_incident, plans_of_incident(*store, options.incident, what.end));
    }
    Page page;
    INTERLOCK_CHECK(telemetry::scan_audit(*store, what, [&](ScannedRecord& record) -> Result<Scan> {
        auto header = telemetry::read_leaf_header(record.header);
        if (!header || !header_matches(options, *header) ||
            !payload_matches(options, record.payload, of_incident.contains(header->plan_digest)))
            return Scan::go_on;
        if (page.matches.size() == options.limit) {
            page.more = true;
            return Scan::enough;
        }
        page.matches.push_back({record.index, std::move(*header), std::move(record.payload)});
        return Scan::go_on;
    }));
    return page;
}

Json as_json(const Match& match) {
    Json record = {
        {"index", match.index},
        {"time", match.header.time},
        {"type", match.header.type},
        {"actor", match.header.actor},
        {"plan_digest", match.header.plan_digest},
        {"payload", nullptr},
    };
    if (match.payload) {
        const auto parsed = base::parse_json(*match.payload, base::limits::audit_payload_bytes_max);
        record["payload"] = parsed ? *parsed : Json(*match.payload);
    }
    return record;
}

void print_match(const Match& match) {
    std::string line = std::to_string(match.index) + "  " + base::sanitize(match.header.time) +
                       "  " + base::sanitize(match.header.type) + "  " +
                       base::sanitize(match.header.actor);
    constexpr auto bytes_max = base::limits::audit_payload_bytes_max;
    if (!match.payload) {
        line += "  (payload erased)";
    } else if (const auto payload = base::parse_json(*match.payload, bytes_max)) {
        for (const auto& detail :
             {tool_of(*payload),
              target_of(*payload),
              base::string_member(*payload, "outcome").value_or("").substr(0, 40),
              base::string_member(*payload, "plan_id").value_or("")}) {
            if (!detail.empty()) {
                line += "  " + base::cut_middle(base::sanitize(detail), 64);
            }
        }
    }
    print_line(base::escape_non_ascii(line));
}

} // namespace

Exit search_audit(const SearchOptions& options) {
    const auto page = search(options);
    if (!page) {
        return report(page.error(), options.json);
    }
    const long long last =
        page->matches.empty() ? options.after : static_cast<long long>(page->matches.back().index);
    if (options.json) {
        Json records = Json::array();
        for (const Match& match : page->matches) {
            records.push_back(as_json(match));
        }
        Json document = {{"records", std::move(records)}, {"more", page->more}};
        if (page->more) {
            document["after"] = last;
        }
        print_json(document);
        return Exit::ok;
    }
    for (const Match& match : page->matches) {
        print_match(match);
    }
    if (page->more) {
        note(
            "More records match; go on with --after " + std::to_string(last) +
            ", or raise --limit (at most " + std::to_string(base::limits::audit_read_max) + ")."
        );
    }
    return Exit::ok;
}

} // namespace interlock::cli
