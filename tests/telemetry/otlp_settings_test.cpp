#include "telemetry/otlp_settings.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>
#include <map>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using std::chrono::milliseconds;
using Variables = std::map<std::string, std::string>;

base::Result<OtlpSettings> read(const Variables& variables) {
    return read_otlp_settings(
        [&](const char* name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found != variables.end() && !found->second.empty() ? std::optional(found->second)
                                                                      : std::nullopt;
        },
        "interlock-server"
    );
}

const std::string endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
const std::string collector = "http://collector:4318";

std::string resource(const OtlpSettings& settings, const std::string& key) {
    for (const auto& [name, value] : settings.resource) {
        if (name == key)
            return value;
    }
    return {};
}

TEST_CASE("without variables there is no collector", "[telemetry]") {
    const auto settings = read({});
    REQUIRE(settings);
    CHECK(settings->url.empty());
    CHECK_FALSE(settings->disabled);
    CHECK(resource(*settings, "service.name") == "interlock-server");
    CHECK(settings->warnings.empty());
    CHECK(read({{endpoint, ""}})->url.empty());
}

TEST_CASE("the endpoint of all signals gets the path of traces", "[telemetry]") {
    CHECK(read({{endpoint, collector}})->url == "http://collector:4318/v1/traces");
    CHECK(read({{endpoint, collector + "/"}})->url == "http://collector:4318/v1/traces");
    CHECK(read({{endpoint, "https://a/b"}})->url == "https://a/b/v1/traces");
    CHECK(
        read({{endpoint, collector}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/x"}})->url ==
        "https://t/x"
    );
}

TEST_CASE("an endpoint that is no URL is refused without repeating it", "[telemetry]") {
    for (const char* bad :
         {"collector:4317",
          "grpc://secret",
          "http://",
          "http://a b",
          "ftp://secret",
          "http://a\nb"}) {
        const auto settings = read({{endpoint, bad}});
        REQUIRE_FALSE(settings);
        CHECK(settings.error().code == base::Errc::invalid_input);
        CHECK(settings.error().what.find(endpoint) != std::string::npos);
        CHECK(base::to_text(settings.error()).find("secret") == std::string::npos);
    }
}

TEST_CASE("only http/json is spoken, and that is said", "[telemetry]") {
    CHECK(read({{endpoint, collector}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}}));
    for (const char* other : {"grpc", "http/protobuf", "json"}) {
        const auto settings = read({{endpoint, collector}, {"OTEL_EXPORTER_OTLP_PROTOCOL", other}});
        REQUIRE_FALSE(settings);
        CHECK(settings.error().what.find("OTEL_EXPORTER_OTLP_PROTOCOL") != std::string::npos);
        CHECK(settings.error().remedy.find("http/json") != std::string::npos);
    }
    CHECK(read(
        {{endpoint, collector},
         {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
         {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"}}
    ));
    CHECK(read({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}})); // nothing is sent anyway
}

TEST_CASE("headers are read as baggage and never repeated in an error", "[telemetry]") {
    const std::string name = "OTEL_EXPORTER_OTLP_HEADERS";
    const auto settings =
        read({{endpoint, collector}, {name, "api-key = a%20b%3D ,x=%zz,empty=, "}});
    REQUIRE(settings);
    CHECK(settings->headers == base::HttpHeaders{{"api-key", "a b="}, {"x", "%zz"}, {"empty", ""}});
    for (const char* bad : {"s3cret", "=s3cret", "a b=s3cret", "a=s3cret%0d%0ax: y", "a:=s3cret"}) {
        const auto refused = read({{endpoint, collector}, {name, bad}});
        CAPTURE(bad);
        REQUIRE_FALSE(refused);
        CHECK(base::to_text(refused.error()).find("s3cret") == std::string::npos);
        CHECK(refused.error().what.find(name) != std::string::npos);
    }
    const auto own =
        read({{endpoint, collector}, {name, "a=1"}, {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"}});
    CHECK(own->headers == base::HttpHeaders{{"b", "2"}});
}

TEST_CASE("compression is gzip or none", "[telemetry]") {
    const std::string name = "OTEL_EXPORTER_OTLP_COMPRESSION";
    CHECK_FALSE(read({{endpoint, collector}})->gzip);
    CHECK(read({{endpoint, collector}, {name, "gzip"}})->gzip);
    CHECK_FALSE(read({{endpoint, collector}, {name, "none"}})->gzip);
    CHECK_FALSE(read({{endpoint, collector}, {name, "zstd"}}));
}

TEST_CASE("numbers are read, and what is none is ignored with a warning", "[telemetry]") {
    const auto settings = read(
        {{endpoint, collector},
         {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
         {"OTEL_BSP_SCHEDULE_DELAY", "250"},
         {"OTEL_BSP_MAX_QUEUE_SIZE", "100"},
         {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"},
         {"OTEL_BSP_EXPORT_TIMEOUT", "2000"}}
    );
    REQUIRE(settings);
    CHECK(settings->timeout == milliseconds{1'500});
    CHECK(settings->schedule_delay == milliseconds{250});
    CHECK(settings->queue_max == 100);
    CHECK(settings->batch_max == 10);
    CHECK(settings->export_max == milliseconds{2'000});
    const auto odd = read(
        {{endpoint, collector},
         {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
         {"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
         {"OTEL_BSP_SCHEDULE_DELAY", "99999999999999999999"}}
    );
    REQUIRE(odd);
    CHECK(odd->warnings.size() == 3);
    CHECK(odd->timeout == base::limits::otlp_timeout);
    CHECK(odd->queue_max == base::limits::otlp_queue_max);
    CHECK(
        read({{endpoint, collector}, {"OTEL_BSP_MAX_QUEUE_SIZE", "7"}})->batch_max == 7
    ); // a batch is never more than the queue holds
}

TEST_CASE("the service is named by the narrowest variable", "[telemetry]") {
    const std::string attributes = "OTEL_RESOURCE_ATTRIBUTES";
    const auto named =
        read({{attributes, "service.name=a,deployment.environment.name=prod%20eu,x=1"}});
    CHECK(resource(*named, "service.name") == "a");
    CHECK(resource(*named, "deployment.environment.name") == "prod eu");
    CHECK(resource(*named, "telemetry.sdk.language") == "cpp");
    const auto both = read({{attributes, "service.name=a"}, {"OTEL_SERVICE_NAME", "b"}});
    CHECK(resource(*both, "service.name") == "b");
    const auto malformed = read({{attributes, "nonsense"}});
    REQUIRE(malformed);
    CHECK(malformed->warnings.size() == 1);
}

TEST_CASE("spans can be switched off, or kept at home", "[telemetry]") {
    CHECK(read({{endpoint, collector}, {"OTEL_SDK_DISABLED", "TRUE"}})->disabled);
    CHECK_FALSE(read({{endpoint, collector}, {"OTEL_SDK_DISABLED", "1"}})->disabled);
    const auto home = read({{endpoint, collector}, {"OTEL_TRACES_EXPORTER", "none"}});
    CHECK(home->url.empty());
    CHECK_FALSE(home->disabled);
    CHECK_FALSE(read({{endpoint, collector}, {"OTEL_TRACES_EXPORTER", "zipkin"}}));
}

TEST_CASE("a file of authorities must be there to be read", "[telemetry]") {
    const test::TemporaryDirectory directory;
    const std::string name = "OTEL_EXPORTER_OTLP_CERTIFICATE";
    const auto path = directory.file("ca.pem");
    CHECK_FALSE(read({{endpoint, collector}, {name, path}}));
    std::ofstream(path) << "pem";
    CHECK(read({{endpoint, collector}, {name, path}})->authorities == path);
}

} // namespace
} // namespace interlock::telemetry
