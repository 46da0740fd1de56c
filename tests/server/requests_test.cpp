#include "base/limits.hpp"
#include "server/requests.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::JobKind;
using interlock::server::Read;
using interlock::server::RpcError;
using interlock::server::Subject;

/// The value, or the test ends.
template <class Value>
Value value(const Read<Value>& read) {
    REQUIRE(std::holds_alternative<Value>(read));
    return std::get<Value>(read);
}

template <class Value>
bool refused(const Read<Value>& read) {
    const auto* error = std::get_if<RpcError>(&read);
    CHECK((error == nullptr || error->code == -32602));
    return error != nullptr;
}

Read<Subject> subject(JobKind kind, const std::string& params) {
    return interlock::server::read_subject(kind, Json::parse(params));
}

} // namespace

TEST_CASE("a call names its tool; arguments are an object or absent", "[server]") {
    CHECK(value(subject(JobKind::call_tool, R"({"name":"echo"})")).arguments == "{}");
    const auto read =
        value(subject(JobKind::call_tool, R"({"name":"","arguments":{"b":1,"a":{"c":[]}}})"));
    CHECK(read.name.empty());
    CHECK(read.arguments == R"({"a":{"c":[]},"b":1})");
    for (const char* wrong :
         {"{}",
          "null",
          R"({"name":null})",
          R"({"name":7})",
          R"({"name":["echo"]})",
          R"({"name":"echo","arguments":null})",
          R"({"name":"echo","arguments":[]})",
          R"({"name":"echo","arguments":"{}"})"}) {
        INFO(wrong);
        CHECK(refused(subject(JobKind::call_tool, wrong)));
    }
}

TEST_CASE("a prompt's arguments are strings", "[server]") {
    CHECK(
        value(subject(JobKind::get_prompt, R"({"name":"p","arguments":{"a":""}})")).arguments ==
        R"({"a":""})"
    );
    CHECK(refused(subject(JobKind::get_prompt, R"({"name":"p","arguments":{"a":1}})")));
    CHECK(refused(subject(JobKind::get_prompt, R"({"name":"p","arguments":{"a":null}})")));
}

TEST_CASE("a resource is named by its uri", "[server]") {
    CHECK(value(subject(JobKind::read_resource, R"({"uri":"x://y"})")).name == "x://y");
    CHECK(refused(subject(JobKind::read_resource, R"({"name":"x://y"})")));
    CHECK(refused(subject(JobKind::read_resource, R"({"uri":1})")));
}

TEST_CASE("a call names its incident in _meta or in a tool's arguments", "[server]") {
    const auto incident = [](const std::string& params, JobKind kind = JobKind::call_tool) {
        return interlock::server::read_incident(kind, Json::parse(params));
    };
    const std::string named = R"({"_meta":{"interlock/incident":"INC-7 caf\u00e9"}})";
    CHECK(value(incident("{}")).empty());
    CHECK(value(incident(named)) == "INC-7 caf\xc3\xa9");
    CHECK(value(incident(named, JobKind::read_resource)) == "INC-7 caf\xc3\xa9");
    CHECK(value(incident(R"({"arguments":{"incident":"INC-8"}})")) == "INC-8");
    CHECK(value(incident(R"({"arguments":{"incident":"INC-8"}})", JobKind::get_prompt)).empty());
    // Its form is the schema's to judge; what cannot be one is not counted as one.
    CHECK(value(incident(R"({"arguments":{"incident":7}})")).empty());
    CHECK(value(incident(R"({"arguments":{"incident":"a\u202eb"}})")).empty());
    const std::string both = R"("arguments":{"incident":"INC-8"}})";
    CHECK(value(incident(R"({"_meta":{"interlock/incident":"INC-8"},)" + both)) == "INC-8");
    CHECK(refused(incident(R"({"_meta":{"interlock/incident":"INC-7"},)" + both)));
    const std::string longest(interlock::base::limits::incident_chars_max, 'x');
    const auto in_meta = [&](const std::string& json_value) {
        return incident(R"({"_meta":{"interlock/incident":)" + json_value + "}}");
    };
    CHECK(value(in_meta('"' + longest + '"')) == longest);
    for (const std::string& wrong :
         {std::string("null"),
          std::string("7"),
          std::string(R"(["INC-7"])"),
          std::string(R"("")"),
          std::string(R"("  ")"),
          '"' + longest + R"(x")",
          std::string(R"("a\nb")"),
          std::string(R"("a\u202eb")"),
          std::string(R"("a\u200bb")"),
          std::string(R"("\u001b[2J")")}) {
        INFO(wrong);
        CHECK(refused(in_meta(wrong)));
    }
}

TEST_CASE("a completion says what it completes", "[server]") {
    using interlock::server::read_completion;
    const auto read = value(read_completion(
        Json::parse(R"({"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""},)"
                    R"("context":{"arguments":{"b":"1"}}})")
    ));
    CHECK(read.of_prompt);
    CHECK(read.reference == "p");
    CHECK(read.argument == "a");
    CHECK(read.value.empty());
    REQUIRE(read.context.size() == 1);
    CHECK(read.context.front().second == "1");
    const auto resource = value(read_completion(Json::parse(
        R"({"ref":{"type":"ref/resource","uri":"x://{y}"},"argument":{"name":"y","value":"v"}})"
    )));
    CHECK_FALSE(resource.of_prompt);
    CHECK(resource.reference == "x://{y}");
    const std::string argument = R"("argument":{"name":"a","value":"v"})";
    const std::string prompt = R"("ref":{"type":"ref/prompt","name":"p"})";
    for (const std::string& wrong :
         {std::string("{}"),
          "{" + prompt + "}",
          "{" + argument + "}",
          R"({"ref":"p",)" + argument + "}",
          R"({"ref":{"type":"ref/tool","name":"p"},)" + argument + "}",
          R"({"ref":{"type":"ref/prompt","uri":"p"},)" + argument + "}",
          R"({"ref":{"type":"ref/resource","name":"p"},)" + argument + "}",
          "{" + prompt + R"(,"argument":{"name":"a"}})",
          "{" + prompt + R"(,"argument":{"name":1,"value":"v"}})",
          "{" + prompt + "," + argument + R"(,"context":{"arguments":[]}})",
          "{" + prompt + "," + argument + R"(,"context":{"arguments":{"b":1}}})"}) {
        INFO(wrong);
        CHECK(refused(read_completion(Json::parse(wrong))));
        CHECK(refused(subject(JobKind::complete, wrong)));
    }
}

TEST_CASE("a cursor is text, also when it is empty", "[server]") {
    using interlock::server::read_cursor;
    CHECK_FALSE(value(read_cursor(Json::parse("null"))));
    CHECK_FALSE(value(read_cursor(Json::parse("{}"))));
    CHECK(value(read_cursor(Json::parse(R"({"cursor":""})"))) == "");
    CHECK(refused(read_cursor(Json::parse(R"({"cursor":1})"))));
    CHECK(refused(read_cursor(Json::parse(R"({"cursor":null})"))));
}

TEST_CASE("a progress token is text or an integer and comes back as it was", "[server]") {
    const auto token = [](const std::string& text) {
        return interlock::server::read_progress_token(
            Json::parse(R"({"_meta":{"progressToken":)" + text + "}}")
        );
    };
    CHECK(value(token("0")) == "0");
    CHECK(value(token(R"("0")")) == R"("0")");
    CHECK(value(token("null")).empty());
    CHECK(value(interlock::server::read_progress_token(Json::parse("{}"))).empty());
    for (const char* wrong : {"1.5", "true", "[]", "{}"}) {
        CHECK(refused(token(wrong)));
    }
}

TEST_CASE("a log level is one of eight", "[server]") {
    const auto level = [](const std::string& text) {
        return interlock::server::read_log_level(
            Json::parse(R"({"_meta":{"io.modelcontextprotocol/logLevel":)" + text + "}}")
        );
    };
    CHECK(value(level(R"("warning")")) == interlock::server::LogSeverity::warning);
    CHECK_FALSE(value(interlock::server::read_log_level(Json::parse("{}"))));
    for (const char* wrong : {R"("loud")", R"("")", "3", "null"}) {
        CHECK(refused(level(wrong)));
    }
}

TEST_CASE("a retry brings an object of answers and a text of state", "[server]") {
    using interlock::server::read_retry;
    const Json params = Json::parse(R"({"inputResponses":{"k":{}},"requestState":"s"})");
    const auto read = value(read_retry(params));
    REQUIRE(read.responses != nullptr);
    CHECK(read.responses->contains("k"));
    CHECK(read.state == "s");
    const Json first = Json::object();
    CHECK(value(read_retry(first)).responses == nullptr);
    for (const char* wrong :
         {R"({"inputResponses":[]})",
          R"({"inputResponses":null})",
          R"({"requestState":{}})",
          R"({"requestState":null})"}) {
        const Json bad = Json::parse(wrong);
        CHECK(refused(read_retry(bad)));
    }
}

TEST_CASE("a listen asks for flags and short lists of texts", "[server]") {
    const auto listen = [](const std::string& filter) {
        return interlock::server::read_listen(Json::parse(R"({"notifications":)" + filter + "}"));
    };
    const auto read = value(listen(
        R"({"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["a"],)"
        R"("taskIds":["t"],"unheardOf":7})"
    ));
    CHECK(read.tools);
    CHECK_FALSE(read.prompts);
    CHECK_FALSE(read.resources);
    CHECK(read.uris == std::vector<std::string>{"a"});
    CHECK(read.tasks == std::vector<std::string>{"t"});
    CHECK(refused(interlock::server::read_listen(Json::parse("{}"))));
    Json many = Json::array();
    for (std::size_t i = 0; i <= interlock::base::limits::listen_uris_max; ++i) {
        many.push_back(std::to_string(i));
    }
    for (const std::string& wrong :
         {std::string("[]"),
          std::string("null"),
          std::string(R"({"toolsListChanged":1})"),
          std::string(R"({"resourceSubscriptions":"a"})"),
          std::string(R"({"resourceSubscriptions":[1]})"),
          std::string(R"({"taskIds":{}})"),
          R"({"resourceSubscriptions":)" + many.dump() + "}",
          R"({"taskIds":)" + many.dump() + "}"}) {
        CHECK(refused(listen(wrong)));
    }
}
