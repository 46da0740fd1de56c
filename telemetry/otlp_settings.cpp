#include "telemetry/otlp_settings.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <unistd.h>

namespace interlock::telemetry {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using Pairs = std::vector<std::pair<std::string, std::string>>;

/// A variable of all signals, and the one that overrules it for traces.
struct Names {
    const char* common;
    const char* traces;
};
constexpr Names protocol_names{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"};
constexpr Names header_names{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"};
constexpr Names timeout_names{"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"};
constexpr Names compression_names{
    "OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"};
constexpr Names certificate_names{
    "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"};

struct Value {
    std::string name; // of the variable that counts
    std::string text; // "" = neither is set
};

Value value_of(const Environment& environment, const Names& names) {
    if (auto text = environment(names.traces)) {
        return {names.traces, std::move(*text)};
    }
    return {names.common, environment(names.common).value_or("")};
}

Error unusable(const std::string& name, const std::string& what, const std::string& remedy) {
    return {Errc::invalid_input, "The environment variable " + name + " " + what, remedy};
}

int hex_digit(char letter) {
    const std::string_view digits = "0123456789abcdef";
    const auto at = digits.find(base::lower_ascii(std::string_view(&letter, 1)));
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool escape = text[at] == '%' && at + 2 < text.size() &&
                            hex_digit(text[at + 1]) >= 0 && hex_digit(text[at + 2]) >= 0;
        if (escape) {
            out += static_cast<char>(hex_digit(text[at + 1]) * 16 + hex_digit(text[at + 2]));
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

/// "key=value,key=value": the form of W3C Baggage, values percent-encoded. nullopt: it is not that.
std::optional<Pairs> read_pairs(std::string_view text) {
    Pairs pairs;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view item = base::trim(text.substr(0, comma));
        text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
        if (item.empty()) {
            continue;
        }
        const auto equals = item.find('=');
        const auto key = base::trim(item.substr(0, equals));
        if (equals == std::string_view::npos || key.empty()) {
            return std::nullopt;
        }
        pairs.emplace_back(key, percent_decoded(base::trim(item.substr(equals + 1))));
    }
    return pairs;
}

bool is_header_name(std::string_view name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

bool is_header_value(std::string_view value) {
    return std::none_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && byte != '\t') || byte == 0x7F;
    });
}

Result<base::HttpHeaders> read_headers(const Value& value) {
    auto pairs = read_pairs(value.text);
    const bool sound = pairs && std::all_of(pairs->begin(), pairs->end(), [](const auto& header) {
                           return is_header_name(header.first) && is_header_value(header.second);
                       });
    if (!sound) {
        return unusable(
            value.name,
            "is not a list of headers.",
            "Write name=value,name=value, with the values percent-encoded."
        );
    }
    return std::move(*pairs);
}

Result<std::string> read_url(const Environment& environment) {
    const auto own = environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const auto common = environment("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (!own && !common) {
        return std::string();
    }
    std::string url = own ? *own : *common;
    const std::string scheme = base::lower_ascii(url.substr(0, url.find("://")));
    const bool sound = url.find("://") != std::string::npos &&
                       (scheme == "http" || scheme == "https") && url.size() > scheme.size() + 3 &&
                       is_header_value(url) && url.find(' ') == std::string::npos;
    if (!sound) {
        return unusable(
            own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT",
            "is not an http or https URL.",
            "Write it like http://collector.example:4318."
        );
    }
    if (!own) { // of all signals; that of traces is taken as it is
        url += url.ends_with('/') ? "v1/traces" : "/v1/traces";
    }
    return url;
}

base::Status check_protocol(const Value& value) {
    if (value.text.empty() || value.text == "http/json") {
        return base::done;
    }
    return unusable(
        value.name,
        "asks for a protocol that Interlock does not speak.",
        "Set it to http/json, or leave it out; collectors take that on their HTTP port, usually "
        "4318."
    );
}

/// A whole number from `min` on, else `fallback` with a warning.
template <class Number>
void read_number(
    OtlpSettings& settings, const Value& value, long long min, long long max, Number& into
) {
    if (value.text.empty()) {
        return;
    }
    const std::string_view text = base::trim(value.text);
    long long number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || end != text.data() + text.size() || number < min || number > max) {
        settings.warnings.push_back(
            value.name + " is not a whole number from " + std::to_string(min) + " to " +
            std::to_string(max) + "; it is ignored."
        );
        return;
    }
    into = Number(number);
}

void read_numbers(OtlpSettings& settings, const Environment& environment) {
    constexpr long long day_ms = 86'400'000;
    constexpr long long spans_most = 1'000'000;
    const auto plain = [&](const char* name) {
        return Value{name, environment(name).value_or("")};
    };
    using Milliseconds = std::chrono::milliseconds;
    long long timeout = settings.timeout.count();
    long long whole = settings.export_max.count();
    long long delay = settings.schedule_delay.count();
    read_number(settings, value_of(environment, timeout_names), 1, day_ms, timeout);
    read_number(settings, plain("OTEL_BSP_EXPORT_TIMEOUT"), 1, day_ms, whole);
    read_number(settings, plain("OTEL_BSP_SCHEDULE_DELAY"), 0, day_ms, delay);
    read_number(settings, plain("OTEL_BSP_MAX_QUEUE_SIZE"), 1, spans_most, settings.queue_max);
    read_number(
        settings, plain("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), 1, spans_most, settings.batch_max
    );
    settings.timeout = Milliseconds(timeout);
    settings.export_max = Milliseconds(whole);
    settings.schedule_delay = Milliseconds(delay);
    if (settings.batch_max > settings.queue_max) {
        settings.batch_max = settings.queue_max;
    }
}

/// OTEL_SERVICE_NAME before a service.name of OTEL_RESOURCE_ATTRIBUTES before the program's name.
void read_resource(
    OtlpSettings& settings, const Environment& environment, std::string_view program
) {
    Pairs given;
    if (const auto text = environment("OTEL_RESOURCE_ATTRIBUTES")) {
        auto pairs = read_pairs(*text);
        if (!pairs) {
            settings.warnings.emplace_back(
                "OTEL_RESOURCE_ATTRIBUTES is not a list of key=value; it is ignored."
            );
        }
        given = std::move(pairs).value_or(Pairs{});
    }
    settings.resource = make_resource(program);
    for (auto& [key, value] : given) {
        const auto same = std::find_if(
            settings.resource.begin(),
            settings.resource.end(),
            [&, &name = key](const auto& known) { return known.first == name; }
        );
        if (same == settings.resource.end()) {
            settings.resource.emplace_back(key, value);
        } else {
            same->second = value;
        }
    }
    if (auto name = environment("OTEL_SERVICE_NAME")) {
        settings.resource.front().second = std::move(*name);
    }
}

} // namespace

Environment process_environment() {
    return [](const char* name) -> std::optional<std::string> {
        const char* text = std::getenv(name);
        return text != nullptr && *text != '\0' ? std::optional<std::string>(text) : std::nullopt;
    };
}

Result<OtlpSettings> read_otlp_settings(const Environment& environment, std::string_view program) {
    OtlpSettings settings;
    read_resource(settings, environment, program);
    settings.disabled = base::lower_ascii(environment("OTEL_SDK_DISABLED").value_or("")) == "true";
    const auto exporter = environment("OTEL_TRACES_EXPORTER").value_or("otlp");
    if (settings.disabled || exporter == "none") {
        return settings;
    }
    if (exporter != "otlp") {
        return unusable(
            "OTEL_TRACES_EXPORTER", "names an exporter that Interlock lacks.", "Use otlp or none."
        );
    }
    INTERLOCK_TRY(settings.url, read_url(environment));
    if (settings.url.empty()) {
        return settings;
    }
    INTERLOCK_CHECK(check_protocol(value_of(environment, protocol_names)));
    INTERLOCK_TRY(settings.headers, read_headers(value_of(environment, header_names)));
    const Value compression = value_of(environment, compression_names);
    if (compression.text != "gzip" && compression.text != "none" && !compression.text.empty()) {
        return unusable(compression.name, "names an unknown compression.", "Use gzip or none.");
    }
    settings.gzip = compression.text == "gzip";
    const Value certificate = value_of(environment, certificate_names);
    settings.authorities = certificate.text;
    if (!certificate.text.empty() && ::access(certificate.text.c_str(), R_OK) != 0) {
        return unusable(
            certificate.name, "names a file that cannot be read.", "Name a PEM file of authorities."
        );
    }
    read_numbers(settings, environment);
    return settings;
}

} // namespace interlock::telemetry
