// The supervisor: deterministic code that notices an agent running away. It counts, for each
// identity, calls that fail in the same way, calls that are repeated with nothing new to see, and
// what a window of time may cost. Past a limit it reports a breach, with what led to it; whoever
// asked it suspends the identity. No model takes part, and none can change a limit.
//
// Failures and repetitions are counted for each incident that calls name, and at twice the limit
// for the identity whatever it names, so that nobody gets rid of a counter by making incidents up;
// budgets are the identity's as a whole, and of them others tell what they have counted
// (server/spending_watch.hpp). Time is passed in. Memory is bounded: an identity is forgotten only
// when a whole window has passed since its last call, and then nothing of it counts any more; while
// there are more than can be watched, calls of yet another one are refused.
#pragma once

#include "approval/spending.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

struct SupervisorLimits {
    long long failing_calls = base::limits::supervised_failing_calls;
    long long identical_calls = base::limits::supervised_identical_calls;
    base::Duration window = base::limits::supervised_window;
    long long calls = base::limits::supervised_calls;
    long long result_bytes = base::limits::supervised_result_bytes;
    base::Duration database_time = base::limits::supervised_database_time;
    friend bool operator==(const SupervisorLimits&, const SupervisorLimits&) = default;
};

/// Whose doing a call's outcome is.
enum class Fault {
    none,   // it was answered
    caller, // arguments, names, statements: what a model chooses
    nobody, // the target, the store, a defect of ours, a person who stopped it
};
Fault fault_of(std::string_view outcome);

/// One call as a person reads it afterwards.
struct TranscriptLine {
    std::string at; // RFC 3339
    std::string call;
    std::string tool;
    std::string incident;  // that the call named; "" = none
    std::string arguments; // masked and cut
    std::string arguments_digest;
    std::string outcome;
    base::Duration elapsed{};
    std::size_t result_bytes = 0;
};
/// JSON text of an array.
std::string render_transcript(const std::vector<TranscriptLine>& lines);

struct FinishedCall {
    std::string identity;    // session_owner
    std::string fingerprint; // of the tool and its arguments
    std::string seen;        // of the result, without what changes by itself
    bool waits = false;      // of a tool that is asked again until something has happened
    bool judged = true;      // false: only its cost counts
    base::Ticks began{};
    base::Duration database{};
    TranscriptLine line;
};

struct Breach {
    std::string cause;  // "failures", "loop", "calls", "result_bytes", "database_time"
    std::string reason; // one sentence
    std::vector<TranscriptLine> transcript;
};

/// Thread-safe.
class Supervisor {
public:
    /// nullopt: nobody is supervised.
    explicit Supervisor(std::optional<SupervisorLimits> limits);
    /// Limits from now on; what was counted stays.
    void use(std::optional<SupervisorLimits> limits);
    bool watches() const;
    base::Duration window() const;

    /// `identity`: session_owner. Before a call is made. A breach: it must not be.
    /// budget_exhausted: there are too many identities to watch.
    base::Result<std::optional<Breach>> begin(const std::string& identity, base::Ticks now);
    /// After it. A breach is reported once; the counters start anew.
    std::optional<Breach> end(const FinishedCall& call, base::Ticks now);
    /// A person has decided about this subject; issuer "": whoever issued it.
    void forget(const std::string& issuer, const std::string& subject);
    std::size_t identities() const;

    /// Whether it counts for this identity already.
    bool knows(const std::string& identity) const;
    /// Before its first call here: what was counted elsewhere.
    void introduce(
        const std::string& identity, const approval::WindowSpending& elsewhere, base::Ticks now
    );
    using Counted = std::map<std::string, approval::Spending>;
    /// What was counted here since the last time this was asked.
    Counted take_untold();
    /// Nobody could be told.
    void give_back(const Counted& untold);
    /// What all have counted, what was taken here included.
    std::optional<Breach>
    learn(const std::string& identity, const approval::WindowSpending& all, base::Ticks now);

private:
    /// A call that was made lately, by hashes: nobody gains by making two look the same.
    struct Recent {
        std::size_t call = 0;
        std::size_t seen = 0;
        base::Ticks began{};
        base::Ticks ended{};
    };
    /// What is counted apart for each incident.
    struct Track {
        std::string failing; // tool and outcome
        long long failures = 0;
        std::deque<Recent> recent;
        base::Ticks last{};
    };
    struct Watched {
        base::Ticks window_began{};
        base::Ticks last{};
        long long under_way = 0;
        approval::Spending spent;            // by all, as far as known here
        approval::Spending untold;           // of it, what others do not know yet
        std::map<std::string, Track> tracks; // by incident
        Track all;                           // of every call, whatever incident it names
        std::deque<TranscriptLine> lines;
    };

    Watched* find_or_add(const std::string& identity, base::Ticks now);
    void roll_over(Watched& watched, base::Ticks now) const;
    Track& track_of(Watched& watched, const std::string& incident, base::Ticks now) const;
    void lapse(Track& track, base::Ticks now) const;
    /// `limit_times`: how often the limits are meant.
    std::optional<Breach>
    judge(Track& track, const FinishedCall& call, base::Ticks now, int limit_times) const;
    static long long
    repeats(Track& track, const FinishedCall& call, base::Ticks now, std::size_t window);
    void spend(Watched& watched, const approval::Spending& more) const;
    std::optional<Breach> over_budget(const Watched& watched) const;
    Breach report(const std::string& identity, Breach breach);

    mutable std::mutex mutex_;
    std::optional<SupervisorLimits> limits_;
    std::map<std::string, Watched> watched_;
};

} // namespace interlock::server
