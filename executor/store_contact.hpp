// Asking the store while nothing is claimed yet: when the connection was lost it is asked again, a
// few times, each after twice as long. After a claim nothing is asked twice: whether the store took
// what was sent is then a question for the successor, who looks before it acts.
#pragma once

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <functional>
#include <string>

namespace interlock::executor {

/// `ask` returns a Result and changes nothing when that is store_unreachable. An orderly end that
/// is requested ends the waiting, too.
template <class Ask>
auto ask_again(base::Clock& clock, const std::function<bool()>& stop, const Ask& ask) {
    std::chrono::milliseconds pause = base::limits::store_contact_retry;
    for (int attempt = 1;; ++attempt, pause *= 2) {
        auto answer = ask();
        const bool lost = !answer.ok() && answer.error().code == base::Errc::store_unreachable;
        if (!lost || attempt >= base::limits::store_contact_attempts || stop()) {
            return answer;
        }
        base::log_warning(
            "store.asked_again",
            {{"why", answer.error().what}, {"in_ms", std::to_string(pause.count())}}
        );
        clock.sleep_for(pause);
    }
}

} // namespace interlock::executor
