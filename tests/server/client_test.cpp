#include "server/client.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Client;
using interlock::server::client_name;
using interlock::server::LogSeverity;

Client client(const std::string& capabilities) {
    const Json parsed = Json::parse(capabilities);
    return interlock::server::read_client(nullptr, &parsed);
}

} // namespace

TEST_CASE("severities have their names, in rising order", "[server]") {
    using interlock::server::log_severity_from;
    CHECK(log_severity_from("debug") == LogSeverity::debug);
    CHECK(log_severity_from("emergency") == LogSeverity::emergency);
    CHECK(LogSeverity::warning < LogSeverity::error);
    CHECK(std::string(interlock::server::name(LogSeverity::notice)) == "notice");
    for (const char* wrong : {"", "Info", "warn", "trace", "info "}) {
        CHECK_FALSE(log_severity_from(wrong));
    }
}

TEST_CASE("elicitation without modes means forms", "[server]") {
    CHECK(client(R"({"elicitation":{}})").elicitation_form);
    CHECK_FALSE(client(R"({"elicitation":{}})").elicitation_url);
    CHECK(client(R"({"elicitation":{"form":{}}})").elicitation_form);
    CHECK(client(R"({"elicitation":{"url":{}}})").elicitation_url);
    CHECK_FALSE(client(R"({"elicitation":{"url":{}}})").elicitation_form);
    CHECK(client(R"({"elicitation":{"url":{},"form":{}}})").elicitation_form);
}

TEST_CASE("what is not declared by an object is not declared", "[server]") {
    for (const char* nothing :
         {"{}",
          "null",
          "[]",
          R"({"elicitation":true,"sampling":1,"roots":"yes","extensions":[]})",
          R"({"extensions":{"io.modelcontextprotocol/tasks":true}})"}) {
        const Client read = client(nothing);
        CHECK_FALSE(read.elicitation_form);
        CHECK_FALSE(read.sampling);
        CHECK_FALSE(read.roots);
        CHECK_FALSE(read.tasks);
    }
    const Client all =
        client(R"({"sampling":{},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}})");
    CHECK(all.sampling);
    CHECK(all.roots);
    CHECK(all.tasks);
}

TEST_CASE("a client answers only what it declared", "[server]") {
    const Client forms = client(R"({"elicitation":{}})");
    CHECK(forms.can_answer("elicitation/create", ""));
    CHECK(forms.can_answer("elicitation/create", "form"));
    CHECK_FALSE(forms.can_answer("elicitation/create", "url"));
    CHECK_FALSE(forms.can_answer("elicitation/create", "telepathy"));
    CHECK_FALSE(forms.can_answer("sampling/createMessage", ""));
    CHECK_FALSE(forms.can_answer("roots/list", ""));
    CHECK(client(R"({"sampling":{}})").can_answer("sampling/createMessage", ""));
    CHECK(client(R"({"roots":{}})").can_answer("roots/list", ""));
    CHECK_FALSE(client(R"({"roots":{}})").can_answer("tools/list", ""));
}

TEST_CASE("a client's name is harmless and short", "[server]") {
    CHECK(client_name(nullptr).empty());
    const Json named{{"name", "a\x1b[31m\nb"}, {"version", "1"}};
    CHECK(client_name(&named).find('\x1b') == std::string::npos);
    CHECK(client_name(&named).find('\n') == std::string::npos);
    const Json wrong{{"name", 7}, {"version", nullptr}};
    CHECK(client_name(&wrong).empty());
    const Json nobody = Json::array();
    CHECK(client_name(&nobody).empty());
    const Json lengthy{{"name", std::string(10'000, 'x')}};
    CHECK(client_name(&lengthy).size() < 200);
}
