#include "base/http_client.hpp"
#include "executor/status_server.hpp"

#include <catch2/catch.hpp>

namespace interlock::executor {
namespace {

base::HttpRequest request(const std::string& method, const std::string& path) {
    base::HttpRequest made;
    made.method = method;
    made.path = path;
    return made;
}

} // namespace

TEST_CASE("health tells why nothing is started", "[executor]") {
    const telemetry::Metrics metrics;
    CHECK(answer_status(request("GET", "/healthz"), metrics, std::nullopt).status == 200);
    const auto frozen = answer_status(request("GET", "/healthz"), metrics, "The log was cut.");
    CHECK(frozen.status == 503);
    CHECK_THAT(frozen.body, Catch::Contains("The log was cut."));
}

TEST_CASE("there is nothing to command at the status address", "[executor]") {
    const telemetry::Metrics metrics;
    CHECK(answer_status(request("POST", "/healthz"), metrics, std::nullopt).status == 405);
    CHECK(answer_status(request("GET", "/plans"), metrics, std::nullopt).status == 404);
    CHECK(answer_status(request("GET", "/metrics"), metrics, std::nullopt).status == 200);
}

TEST_CASE("the status server answers over HTTP", "[executor]") {
    const telemetry::Metrics metrics;
    auto server = start_status_server("127.0.0.1:0", metrics, [] { return std::nullopt; });
    REQUIRE(server.ok());
    base::HttpCall call;
    call.url = "http://127.0.0.1:" + std::to_string((*server)->port()) + "/healthz";
    const auto answer = base::http_call(call);
    REQUIRE(answer.ok());
    CHECK(answer->status == 200);
    (*server)->stop(std::chrono::milliseconds{100});
    CHECK_FALSE(start_status_server("nowhere", metrics, [] { return std::nullopt; }).ok());
}

} // namespace interlock::executor
