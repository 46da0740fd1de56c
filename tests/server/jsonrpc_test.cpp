#include "server/jsonrpc.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using namespace std::string_literals;
using interlock::server::Message;
using interlock::server::MessageKind;
using interlock::server::parse_packet;
using interlock::server::Refusal;

Message message(const std::string& text) {
    const auto packet = parse_packet(text);
    REQUIRE(packet.messages.size() == 1);
    REQUIRE(std::holds_alternative<Message>(packet.messages.front()));
    return std::get<Message>(packet.messages.front());
}

Refusal refusal(const std::string& text) {
    const auto packet = parse_packet(text);
    REQUIRE(packet.messages.size() == 1);
    INFO(text);
    REQUIRE(std::holds_alternative<Refusal>(packet.messages.front()));
    return std::get<Refusal>(packet.messages.front());
}

} // namespace

TEST_CASE("an id comes back exactly as it was sent", "[server]") {
    for (const std::string id :
         {"0", "7", "-3", "9007199254740993", R"("")", R"("0")", R"("a\"b")"}) {
        CHECK(message(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"ping"})").id == id);
    }
}

TEST_CASE("an id that is neither text nor integer is refused without guessing", "[server]") {
    for (const std::string id : {"null", "1.5", "true", "[1]", "{}", "1e3"}) {
        const auto refused = refusal(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"ping"})");
        CHECK(refused.error.code == -32600);
        CHECK(refused.id.empty());
    }
}

TEST_CASE("a message without an id is a notification", "[server]") {
    const auto read = message(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    CHECK(read.kind == MessageKind::notification);
    CHECK(read.params->is_null());
}

TEST_CASE("an answer from a client is told from a request", "[server]") {
    CHECK(message(R"({"jsonrpc":"2.0","id":1,"result":{}})").kind == MessageKind::response);
    CHECK(
        message(R"({"jsonrpc":"2.0","error":{"code":1,"message":""}})").kind ==
        MessageKind::response
    );
    CHECK(refusal(R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})").error.code == -32600);
    CHECK(refusal(R"({"jsonrpc":"2.0","id":1})").error.code == -32600);
    CHECK(refusal(R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})").id == "1");
}

TEST_CASE("a client's answer keeps its result, and an error or no object keeps none", "[server]") {
    CHECK(
        message(R"({"jsonrpc":"2.0","id":"q","result":{"b":1,"a":2}})").result == R"({"a":2,"b":1})"
    );
    CHECK(message(R"({"jsonrpc":"2.0","id":1,"result":[]})").result.empty());
    CHECK(message(R"({"jsonrpc":"2.0","id":1,"result":null})").result.empty());
    CHECK(message(R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}})").result.empty());
}

TEST_CASE("parameters are an object or are not there", "[server]") {
    for (const std::string params : {"[]", "[1]", "7", "\"x\"", "true"}) {
        const auto refused =
            refusal(R"({"jsonrpc":"2.0","id":4,"method":"ping","params":)" + params + "}");
        CHECK(refused.error.code == -32600);
        CHECK(refused.id == "4");
    }
    CHECK(message(R"({"jsonrpc":"2.0","id":4,"method":"a","params":null})").params->is_null());
}

TEST_CASE("an id beyond what an integer holds is refused, a long text is not", "[server]") {
    const std::string huge = "123456789012345678901234567890";
    CHECK(refusal(R"({"jsonrpc":"2.0","id":)" + huge + R"(,"method":"a"})").error.code == -32600);
    const std::string most = "18446744073709551615";
    CHECK(message(R"({"jsonrpc":"2.0","id":)" + most + R"(,"method":"a"})").id == most);
    const std::string text = '"' + std::string(10'000, 'x') + '"';
    CHECK(message(R"({"jsonrpc":"2.0","id":)" + text + R"(,"method":"a"})").id == text);
    const std::string whole = '"' + std::string(17'000, 'x') + '"';
    CHECK(refusal(R"({"jsonrpc":"2.0","id":)" + whole + R"(,"method":"a"})").error.code == -32600);
}

TEST_CASE("text that is not JSON is a parse error", "[server]") {
    for (const std::string text :
         {"",
          " ",
          "{",
          "nonsense",
          R"({"jsonrpc":"2.0",})",
          "{\"a\":\"\xff\"}",
          R"(["\ud800"])",
          R"({"id":1e999999})",
          "\xef\xbb\xbf{",
          "{} {}"}) {
        CHECK(refusal(text).error.code == -32700);
    }
}

TEST_CASE("JSON that two parsers could read differently is an invalid request", "[server]") {
    CHECK(refusal(R"({"jsonrpc":"2.0","id":1,"method":"a","method":"b"})").error.code == -32600);
    const std::string deep(200, '[');
    const std::string closed(200, ']');
    CHECK(
        refusal(R"({"jsonrpc":"2.0","id":1,"method":"a","params":)" + deep + closed + "}")
            .error.code == -32600
    );
    CHECK(refusal(std::string(100'000, '[')).error.code == -32700);
}

TEST_CASE("what is no object is no message", "[server]") {
    for (const std::string text : {"1", "null", R"("ping")", "true"}) {
        CHECK(refusal(text).error.code == -32600);
    }
    CHECK(refusal(R"({"id":1,"method":"ping"})").error.code == -32600);
    CHECK(refusal(R"({"jsonrpc":"1.0","id":"x","method":"ping"})").id == R"("x")");
    CHECK(refusal(R"({"jsonrpc":"2.0","id":1,"method":7})").error.code == -32600);
}

TEST_CASE("a method with a NUL stays different from the one without", "[server]") {
    CHECK(message(R"({"jsonrpc":"2.0","id":1,"method":"ping\u0000"})").method == "ping\0"s);
}

TEST_CASE("a batch keeps its messages in order and refuses bad ones one by one", "[server]") {
    const auto packet = parse_packet(
        R"([{"jsonrpc":"2.0","id":1,"method":"ping"},3,{"jsonrpc":"2.0","method":"x"}])"
    );
    REQUIRE(packet.batch);
    REQUIRE(packet.messages.size() == 3);
    CHECK(std::get<Message>(packet.messages[0]).id == "1");
    CHECK(std::get<Refusal>(packet.messages[1]).error.code == -32600);
    CHECK(std::get<Message>(packet.messages[2]).kind == MessageKind::notification);
    CHECK(refusal("[]").error.code == -32600);
    std::string many = "[0";
    for (int i = 0; i < 40; ++i) {
        many += ",0";
    }
    CHECK(parse_packet(many + "]").messages.size() == 1);
}

TEST_CASE("answers are rendered with the id they were asked with", "[server]") {
    using interlock::server::render_error;
    using interlock::server::render_result;
    CHECK(render_result(R"("a")", "{}") == R"({"jsonrpc":"2.0","id":"a","result":{}})");
    CHECK(
        render_error("", {-32700, "no \"JSON\"", {}}) ==
        R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"no \"JSON\""}})"
    );
    CHECK(
        render_error("0", {-32022, "x", R"({"a":1})"}) ==
        R"({"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"x","data":{"a":1}}})"
    );
}
