#include "server/supervisor.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

namespace limits = base::limits;

// `timeout` is among them because every statement is ours: a slow one is the target's doing, and
// the budget of database time bounds how often it can be asked for.
constexpr std::array<std::string_view, 19> nobodys{
    "target_unreachable",
    "target_busy",
    "timeout",
    "internal",
    "io",
    "store_busy",
    "store_full",
    "store_read_only",
    "store_unreachable",
    "corrupt",
    "cancelled",
    "suspended",
    "busy",
    "budget_exhausted",
    "tool_killed",
    "expired",
    "conflict",
    "changed",
    "input_required"};

std::string seconds_text(base::Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) +
           " seconds";
}

std::string tool_text(const TranscriptLine& line) {
    return line.outcome == "unknown_tool" ? "tools that do not exist" : "`" + line.tool + "`";
}

/// Failures of one kind: the tool and what was wrong, but all tools that do not exist are one.
std::string kind_of(const TranscriptLine& line) {
    return (line.outcome == "unknown_tool" ? "" : line.tool) + '\n' + line.outcome;
}

} // namespace

Fault fault_of(std::string_view outcome) {
    // That a server, a target or a kind of statement has not got what was asked for is an answer;
    // asking for it again and again is a loop.
    if (outcome == "ok" || outcome == "not_supported") {
        return Fault::none;
    }
    const bool nobody = std::find(nobodys.begin(), nobodys.end(), outcome) != nobodys.end();
    return nobody ? Fault::nobody : Fault::caller;
}

std::string render_transcript(const std::vector<TranscriptLine>& lines) {
    base::Json out = base::Json::array();
    for (const TranscriptLine& line : lines) {
        out.push_back(
            {{"at", line.at},
             {"call", line.call},
             {"tool", line.tool},
             {"incident", line.incident},
             {"arguments", line.arguments},
             {"arguments_digest", line.arguments_digest},
             {"outcome", line.outcome},
             {"elapsed_us", line.elapsed.count()},
             {"result_bytes", line.result_bytes}}
        );
    }
    return base::render_json(out);
}

Supervisor::Supervisor(std::optional<SupervisorLimits> limits) : limits_(limits) {}

void Supervisor::use(std::optional<SupervisorLimits> limits) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
    if (!limits_) {
        watched_.clear();
    }
}

bool Supervisor::watches() const {
    const std::lock_guard lock(mutex_);
    return limits_.has_value();
}

base::Result<std::optional<Breach>>
Supervisor::begin(const std::string& identity, base::Ticks now) {
    const std::lock_guard lock(mutex_);
    if (!limits_) {
        return std::optional<Breach>{};
    }
    Watched* watched = find_or_add(identity, now);
    if (watched == nullptr) {
        return base::Error{
            base::Errc::budget_exhausted,
            "More identities call at this time than this server can watch.",
            "Try again in a few minutes; tell the operator."};
    }
    roll_over(*watched, now);
    watched->last = now;
    spend(*watched, {.calls = 1});
    if (auto breach = over_budget(*watched)) {
        return std::optional(report(identity, std::move(*breach)));
    }
    ++watched->under_way;
    return std::optional<Breach>{};
}

std::optional<Breach> Supervisor::end(const FinishedCall& call, base::Ticks now) {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(call.identity);
    if (!limits_ || found == watched_.end()) {
        return std::nullopt; // suspended, or let go by a person, while this call ran
    }
    Watched& watched = found->second;
    roll_over(watched, now);
    watched.last = now;
    watched.under_way = std::max(watched.under_way - 1, 0LL);
    spend(
        watched,
        {.result_bytes = static_cast<long long>(call.line.result_bytes), .database = call.database}
    );
    watched.lines.push_back(call.line);
    if (watched.lines.size() > limits::transcript_calls) {
        watched.lines.pop_front();
    }
    std::optional<Breach> breach;
    if (call.judged && fault_of(call.line.outcome) != Fault::nobody) {
        breach = judge(track_of(watched, call.line.incident, now), call, now, 1);
        lapse(watched.all, now);
        auto across = judge(watched.all, call, now, limits::supervised_across_incidents);
        if (!breach) {
            breach = std::move(across);
        }
    }
    if (!breach) {
        breach = over_budget(watched);
    }
    return breach ? std::optional(report(call.identity, std::move(*breach))) : std::nullopt;
}

void Supervisor::forget(const std::string& issuer, const std::string& subject) {
    const std::lock_guard lock(mutex_);
    std::erase_if(watched_, [&](const auto& entry) {
        const std::string& identity = entry.first; // issuer, newline, subject
        const auto end = identity.find('\n');
        return identity.substr(end + 1) == subject &&
               (issuer.empty() || identity.substr(0, end) == issuer);
    });
}

std::size_t Supervisor::identities() const {
    const std::lock_guard lock(mutex_);
    return watched_.size();
}

base::Duration Supervisor::window() const {
    const std::lock_guard lock(mutex_);
    return limits_ ? limits_->window : base::Duration{};
}

bool Supervisor::knows(const std::string& identity) const {
    const std::lock_guard lock(mutex_);
    return watched_.contains(identity);
}

void Supervisor::introduce(
    const std::string& identity, const approval::WindowSpending& elsewhere, base::Ticks now
) {
    const std::lock_guard lock(mutex_);
    if (!limits_ || watched_.contains(identity)) {
        return; // another call of it was quicker
    }
    if (Watched* const watched = find_or_add(identity, now)) {
        watched->spent = elsewhere.total;
        watched->window_began = now - elsewhere.age;
    }
}

Supervisor::Counted Supervisor::take_untold() {
    const std::lock_guard lock(mutex_);
    Counted untold;
    for (auto& [identity, watched] : watched_) {
        if (watched.untold != approval::Spending{}) {
            untold.emplace(identity, std::exchange(watched.untold, {}));
        }
    }
    return untold;
}

void Supervisor::give_back(const Counted& untold) {
    const std::lock_guard lock(mutex_);
    for (const auto& [identity, spending] : untold) {
        if (const auto found = watched_.find(identity); found != watched_.end()) {
            found->second.untold = found->second.untold + spending;
        }
    }
}

/// Whoever is not watched any more was suspended meanwhile: nothing is to be said of it twice.
std::optional<Breach> Supervisor::learn(
    const std::string& identity, const approval::WindowSpending& all, base::Ticks now
) {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(identity);
    if (!limits_ || found == watched_.end()) {
        return std::nullopt;
    }
    Watched& watched = found->second;
    watched.spent = all.total + watched.untold;
    watched.window_began = now - all.age;
    auto breach = over_budget(watched);
    return breach ? std::optional(report(identity, std::move(*breach))) : std::nullopt;
}

/// nullptr: there is no room. Only who has been quiet for a whole window makes room: all that was
/// counted has lapsed then, so that nobody gets rid of a counter by making others call.
Supervisor::Watched* Supervisor::find_or_add(const std::string& identity, base::Ticks now) {
    const auto found = watched_.find(identity);
    if (found != watched_.end()) {
        return &found->second;
    }
    if (watched_.size() >= limits::supervised_identities_max) {
        std::erase_if(watched_, [&](const auto& entry) {
            return entry.second.under_way == 0 && now - entry.second.last >= limits_->window;
        });
    }
    if (watched_.size() >= limits::supervised_identities_max) {
        return nullptr;
    }
    Watched& added = watched_[identity];
    added.window_began = added.last = now;
    return &added;
}

/// Budgets are of the window that began with its first call. Streaks lapse by their own age, so
/// that the end of a window is no way to get rid of one.
void Supervisor::roll_over(Watched& watched, base::Ticks now) const {
    if (now - watched.window_began >= limits_->window) {
        watched.window_began = now;
        watched.spent = {};
    }
}

/// An incident that is one too many counts as none: making incidents up wins nothing.
Supervisor::Track&
Supervisor::track_of(Watched& watched, const std::string& incident, base::Ticks now) const {
    const auto lapsed = [&](const Track& track) { return now - track.last >= limits_->window; };
    if (!incident.empty() && !watched.tracks.contains(incident) &&
        watched.tracks.size() >= limits::supervised_incidents_max) {
        std::erase_if(watched.tracks, [&](const auto& entry) { return lapsed(entry.second); });
    }
    const bool room = watched.tracks.contains(incident) ||
                      watched.tracks.size() < limits::supervised_incidents_max;
    Track& track = watched.tracks[room ? incident : std::string{}];
    lapse(track, now);
    return track;
}

void Supervisor::lapse(Track& track, base::Ticks now) const {
    if (now - track.last >= limits_->window) {
        track = {};
    }
}

/// How often this call was made among the last ones, this time included, up to where its result was
/// another one: a poll whose result changes is no loop. Other calls in between do not matter, or
/// who takes turns with two would loop for ever.
long long
Supervisor::repeats(Track& track, const FinishedCall& call, base::Ticks now, std::size_t window) {
    const std::hash<std::string> hash;
    const Recent latest{hash(call.fingerprint), hash(call.seen), call.began, now};
    // Who waits between two calls watches something; who does not, loops.
    const base::Duration pause = call.waits ? limits::supervised_wait : limits::supervised_pause;
    long long count = 1;
    base::Ticks later = latest.began;
    for (auto before = track.recent.rbegin(); before != track.recent.rend(); ++before) {
        if (before->call != latest.call) {
            continue;
        }
        if (before->seen != latest.seen || later - before->ended >= pause) {
            break;
        }
        later = before->began;
        ++count;
    }
    track.recent.push_back(latest);
    while (track.recent.size() >= window) { // the next one is of the window, too
        track.recent.pop_front();
    }
    return count;
}

std::optional<Breach>
Supervisor::judge(Track& track, const FinishedCall& call, base::Ticks now, int limit_times) const {
    const bool fails = fault_of(call.line.outcome) == Fault::caller;
    const std::string kind = fails ? kind_of(call.line) : std::string{};
    track.failures = !fails ? 0 : kind == track.failing ? track.failures + 1 : 1;
    track.failing = kind;
    const long long identical_max = limits_->identical_calls * limit_times;
    const long long window = std::min(limits_->identical_calls, limits::supervised_recent_max) *
                             limit_times * limits::supervised_loop_calls;
    const long long repeated = repeats(track, call, now, static_cast<std::size_t>(window));
    track.last = now;
    if (track.failures >= limits_->failing_calls * limit_times) {
        return Breach{
            "failures",
            std::to_string(track.failures) + " calls of " + tool_text(call.line) +
                " failed in a row with `" + call.line.outcome + "`.",
            {}};
    }
    if (repeated >= identical_max) {
        return Breach{
            "loop",
            tool_text(call.line) + " was called " + std::to_string(repeated) +
                " times within a few calls with the same arguments and the same result.",
            {}};
    }
    return std::nullopt;
}

void Supervisor::spend(Watched& watched, const approval::Spending& more) const {
    watched.spent = watched.spent + more;
    watched.untold = watched.untold + more;
}

std::optional<Breach> Supervisor::over_budget(const Watched& watched) const {
    if (watched.spent.calls > limits_->calls) {
        return Breach{
            "calls",
            std::to_string(limits_->calls) + " calls within " + seconds_text(limits_->window) +
                " are used up.",
            {}};
    }
    if (watched.spent.result_bytes > limits_->result_bytes) {
        return Breach{
            "result_bytes",
            "Results of more than " + std::to_string(limits_->result_bytes) + " bytes within " +
                seconds_text(limits_->window) + " were read.",
            {}};
    }
    if (watched.spent.database > limits_->database_time) {
        return Breach{
            "database_time",
            "More than " + seconds_text(limits_->database_time) + " of database time within " +
                seconds_text(limits_->window) + " were used.",
            {}};
    }
    return std::nullopt;
}

Breach Supervisor::report(const std::string& identity, Breach breach) {
    auto& lines = watched_[identity].lines;
    breach.transcript.assign(lines.begin(), lines.end());
    watched_.erase(identity);
    return breach;
}

} // namespace interlock::server
