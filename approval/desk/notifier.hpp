// Tells people what was stopped: every brake that comes into force, a suspension with its
// transcript, is posted to the incoming webhook of a chat. At least once: what was told is kept on
// disk, so that neither an end of the server nor of the desk loses one. A receiver that does not
// take it is asked again a bounded number of times; then the log says what was not told.
#pragma once

#include "approval/desk/brake_view.hpp"
#include "base/clock.hpp"
#include "base/db/store_place.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace interlock::desk {

/// Both are secrets: who knows the address of a chat's webhook can write there.
struct Receiver {
    std::string url;
    std::string secret; // for the signature; "" = unsigned
};
/// Reads them from files that only their owner may read; `secret_file` "": none. invalid_input for
/// a URL that is neither https nor of this machine.
base::Result<Receiver> read_receiver(const std::string& url_file, const std::string& secret_file);

struct NotifierPace {
    std::chrono::milliseconds interval{1'000};    // between two looks at the brakes
    std::chrono::milliseconds timeout{10'000};    // one try
    std::chrono::milliseconds retry_first{1'000}; // doubled each time
    std::chrono::milliseconds retry_longest{60'000};
    int tries_max = 8; // some two minutes; a receiver that took none gets one for each after it
};

struct NotifierParts {
    db::StorePlace queue;
    std::string told_path; // up to which leaf of the audit log all was told
    Receiver receiver;
    base::Clock& clock;
    NotifierPace pace = {};
};

/// Not shared between threads; start() makes its own.
class Notifier {
public:
    explicit Notifier(NotifierParts parts);
    void start();
    /// Tells what is new. An Error: the store could not be read.
    base::Status look(const std::stop_token& stop = {});

private:
    bool deliver(const BrakeView& view, const std::string& id, const std::stop_token& stop);
    base::Status post(const std::string& id, const std::string& body, const std::stop_token& stop);
    void remember(std::uint64_t next_leaf);

    NotifierParts parts_;
    std::unique_ptr<db::Store> shared_;      // kept: connecting each second would be a burden
    std::optional<std::uint64_t> next_leaf_; // to be told; nullopt before it was read from disk
    bool receiver_is_down_ = false;
    bool store_is_away_ = false;
    std::jthread thread_; // last: it ends first
};

} // namespace interlock::desk
