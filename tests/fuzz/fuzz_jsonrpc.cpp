// Whatever arrives, something can be said to it: every message is complete, every refusal renders
// to JSON, and an id goes back exactly as it came.
#include "base/json.hpp"
#include "base/limits.hpp"
#include "server/jsonrpc.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <variant>

#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
namespace server = interlock::server;
using interlock::test::must_hold;

/// An answer with this id is one JSON object, and its id is the value that `id` is the text of.
void id_comes_back(const std::string& id, const std::string& answer) {
    const auto parsed = base::parse_json(answer, 8 * base::limits::json_bytes_max);
    must_hold(parsed.ok());
    const base::Json* echoed = base::member(parsed.value(), "id");
    must_hold((echoed == nullptr) == id.empty());
    must_hold(echoed == nullptr || server::id_text(*echoed) == id);
}

void read_packet(std::string_view input) {
    const server::Packet packet = server::parse_packet(input);
    must_hold(!packet.messages.empty());
    must_hold(packet.messages.size() <= base::limits::batch_messages_max);
    must_hold(packet.batch || packet.messages.size() == 1);
    for (const server::Incoming& incoming : packet.messages) {
        if (const auto* refusal = std::get_if<server::Refusal>(&incoming)) {
            id_comes_back(refusal->id, server::render_error(refusal->id, refusal->error));
            continue;
        }
        const auto& message = std::get<server::Message>(incoming);
        must_hold(message.params != nullptr);
        must_hold(
            (message.kind == server::MessageKind::request) == !message.method.empty() ||
            message.kind == server::MessageKind::notification || !message.id.empty()
        );
        if (message.kind == server::MessageKind::request) {
            id_comes_back(message.id, server::render_result(message.id, "{}"));
        }
    }
}

} // namespace

INTERLOCK_FUZZ_TARGET(jsonrpc, read_packet)
