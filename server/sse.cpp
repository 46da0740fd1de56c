#include "server/sse.hpp"

#include "server/one_line.hpp"

namespace interlock::server {

std::string sse_message(std::string_view data, std::string_view id) {
    std::string event;
    event.reserve(data.size() + id.size() + 32);
    if (!id.empty()) {
        event.append("id: ").append(id).append("\n");
    }
    return event.append("event: message\ndata: ").append(one_line(data)).append("\n\n");
}

std::string sse_priming(std::string_view id) {
    return std::string("id: ").append(id).append("\ndata:\n\n");
}

std::string sse_retry(std::chrono::milliseconds delay) {
    return "retry: " + std::to_string(delay.count()) + "\n\n";
}

std::string sse_keep_alive() {
    return ":\n\n";
}

} // namespace interlock::server
