// One thread that answers requests, so that reading the queue's file never holds up the thread that
// owns the sockets. A bounded line: past it a request is turned away at once.
#pragma once

#include "approval/desk/site.hpp"
#include "base/http_server.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace interlock::desk {

class Worker {
public:
    explicit Worker(const Site& site);
    /// Answers what is waiting, then ends.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    void take(std::shared_ptr<base::HttpExchange> exchange);

private:
    void serve();

    const Site& site_;
    std::mutex mutex_;
    std::condition_variable waiting_changed_;
    std::deque<std::shared_ptr<base::HttpExchange>> waiting_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace interlock::desk
