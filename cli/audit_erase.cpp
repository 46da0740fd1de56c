#include "cli/audit_erase.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "telemetry/audit_erase.hpp"

#include <charconv>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;

Error misused(std::string what, std::string remedy) {
    return {Errc::invalid_arguments, std::move(what), std::move(remedy)};
}

Result<telemetry::IndexRange> range_of(const std::string& text) {
    telemetry::IndexRange range;
    const auto* const end = text.data() + text.size();
    auto read = std::from_chars(text.data(), end, range.first);
    range.last = range.first;
    if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-')
        read = std::from_chars(read.ptr + 1, end, range.last);
    if (read.ec != std::errc{} || read.ptr != end || range.first > range.last)
        return misused(
            "--index takes the index of a record, or the first and the last of several.",
            "Write it as 17 or 17-40."
        );
    return range;
}

/// Everything that is not over: its payloads are still needed.
Result<std::set<std::string>> plans_under_way(approval::Queue& queue) {
    std::set<std::string> digests;
    approval::PlanFilter filter;
    filter.count_max = base::limits::plans_listed_max;
    for (const auto state : approval::all_states())
        if (approval::is_open(state) || approval::is_running(state))
            filter.states.push_back(state);
    INTERLOCK_TRY(const auto plans, queue.list(filter));
    if (plans.size() >= filter.count_max)
        return Error{
            Errc::refused,
            "More plans are under way than can be looked at, so nothing was erased.",
            "Try again when fewer are."};
    for (const auto& plan : plans)
        digests.insert(plan.digest);
    return digests;
}

Result<telemetry::ErasureSelection>
selection_of(const EraseOptions& options, approval::Queue& queue, base::Time now) {
    telemetry::ErasureSelection selection;
    if (!options.indexes.empty()) {
        INTERLOCK_TRY(selection.indexes, range_of(options.indexes));
    }
    if (!options.plan_id.empty()) {
        INTERLOCK_TRY(const auto plan, queue.get(options.plan_id));
        selection.plan_digest = plan.digest;
    }
    selection.actor = options.actor;
    if (!options.before.empty()) {
        INTERLOCK_TRY(selection.before, base::parse_time(options.before));
        if (*selection.before > now)
            return misused("--before lies in the future.", "Give a time that has passed.");
    }
    if (options.indexes.empty() && options.plan_id.empty() && options.actor.empty())
        return misused(
            "Say whose payloads are to be erased.",
            "Give --index, --plan, or --actor with --before."
        );
    if (!options.actor.empty() && !selection.before)
        return misused("--actor needs a time.", "Give --before, too.");
    return selection;
}

Result<Json> run_erase(const EraseOptions& options) {
    if (base::trim(options.reason).empty())
        return misused("Erasing needs a reason.", "Give --reason; it stays in the log.");
    base::SystemClock clock;
    base::SystemRandom random;
    INTERLOCK_TRY(
        const auto store,
        db::open_store(
            base::StateDirectory{options.state_directory}, db::StoreMode::existing, clock
        )
    );
    approval::Queue queue(*store, random);
    INTERLOCK_TRY(const auto under_way, plans_under_way(queue));
    INTERLOCK_TRY(const auto selection, selection_of(options, queue, clock.now()));
    INTERLOCK_TRY(const auto payloads, telemetry::select_payloads(*store, selection, under_way));
    if (payloads.empty())
        return Error{
            Errc::not_found,
            "No payload that is still there fits, so nothing was erased and nothing recorded.",
            "`interlock audit search` and `interlock audit show` tell which records there are."};
    Json done = {
        {"payloads", payloads.count()}, {"indexes", payloads.to_json()}, {"erased", options.yes}};
    if (options.yes) {
        INTERLOCK_TRY(
            const auto erasure,
            telemetry::erase_payloads(
                *store, random, payloads, "os:" + base::current_user(), options.reason
            )
        );
        done["records"] = erasure.records;
    }
    return done;
}

/// "3, 23-24"
std::string in_words(const Json& ranges) {
    std::string text;
    for (const auto& range : ranges) {
        const auto first = range[0].dump();
        const auto last = range[1].dump();
        text += (text.empty() ? "" : ", ") + (first == last ? first : first + "-" + last);
    }
    return base::cut_middle(text, 200);
}

} // namespace

Exit erase_audit_payloads(const EraseOptions& options) {
    const auto done = run_erase(options);
    if (!done) {
        return report(done.error(), options.json);
    }
    if (options.json) {
        print_json(*done);
        return Exit::ok;
    }
    const auto count = std::to_string(base::integer_member(*done, "payloads").value_or(0));
    const auto which = count + " payloads, of the records " + in_words((*done)["indexes"]);
    print_line(
        options.yes ? "erased  " + which + "; the records stay, and so does the record of this"
                    : "would erase  " + which + "; give --yes to do it"
    );
    return Exit::ok;
}

} // namespace interlock::cli
