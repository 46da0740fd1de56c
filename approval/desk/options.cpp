#include "approval/desk/options.hpp"

#include "base/db/store_place.hpp"
#include "base/decode.hpp"
#include "base/file.hpp"
#include "base/http_server.hpp"
#include "base/limits.hpp"
#include "base/state_directory.hpp"
#include "base/yaml.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace interlock::desk {

namespace {

struct Configuration {
    std::string state;
    std::string store;
    std::string listen = "127.0.0.1:7421";
    std::string token_file;
    std::vector<std::string> allowed_hosts;
    std::string log_level = "info";
    std::string notify_url_file;
    std::string notify_secret_file;
};

std::string beside(const std::string& file, const std::string& path) {
    if (path.empty() || path.front() == '/')
        return path;
    return (std::filesystem::path(file).parent_path() / path).string();
}

base::Result<Configuration> read_configuration(const std::string& file) {
    INTERLOCK_TRY(const std::string text, base::read_file(file, base::limits::yaml_bytes_max));
    INTERLOCK_TRY(const base::Json document, base::parse_yaml(text));
    base::Decoder root(document, "");
    Configuration configuration;
    configuration.state = beside(file, root.text("state"));
    configuration.store = beside(file, root.text_or("store", ""));
    if (const auto why = db::not_a_store_file(root.text_or("store", "")))
        root.fail("store", *why);
    configuration.listen = root.text_or("listen", configuration.listen);
    configuration.token_file = beside(file, root.text_or("token_file", ""));
    configuration.allowed_hosts = root.texts("allowed_hosts");
    if (root.has("log_level"))
        configuration.log_level = root.choice("log_level", base::log_level_names());
    if (root.has("notify")) {
        base::Decoder notify = root.mapping("notify");
        configuration.notify_url_file = beside(file, notify.text("url_file"));
        configuration.notify_secret_file = beside(file, notify.text_or("secret_file", ""));
        INTERLOCK_CHECK(notify.finish());
    }
    INTERLOCK_CHECK(root.finish());
    return configuration;
}

/// For names that were checked already; anything else keeps the default.
base::LogLevel level_of(const std::string& name) {
    const auto level = base::log_level_from_name(name);
    return level ? *level : base::LogLevel::info;
}

void prefer(std::string& value, const std::string& flag) {
    if (!flag.empty())
        value = flag;
}

} // namespace

base::Result<Options> make_options(const Flags& flags) {
    Configuration configuration;
    if (!flags.config.empty()) {
        INTERLOCK_TRY(configuration, read_configuration(flags.config));
    } else {
        configuration.state = base::default_state_directory();
    }
    if (!flags.state.empty())
        configuration.store.clear();
    prefer(configuration.state, flags.state);
    prefer(configuration.listen, flags.listen);
    prefer(configuration.token_file, flags.token_file);

    INTERLOCK_TRY(const auto listen, base::parse_listen_address(configuration.listen));
    if (!base::is_loopback(listen.first))
        return base::Error{
            base::Errc::invalid_input,
            "The desk does not listen on " + listen.first +
                ": it speaks plain HTTP, and its token would cross the network unprotected.",
            "Listen on 127.0.0.1 or [::1] and put a proxy that speaks TLS in front; name its host "
            "with --allowed-host."};
    Options options;
    options.state = configuration.state;
    options.queue = configuration.store.empty() ? base::StateDirectory{configuration.state}.queue()
                                                : configuration.store;
    options.address = listen.first;
    options.port = listen.second;
    options.token_file = configuration.token_file.empty() ? configuration.state + "/desk.token"
                                                          : configuration.token_file;
    options.port_file = flags.port_file;
    options.allowed_hosts = configuration.allowed_hosts;
    options.allowed_hosts.insert(
        options.allowed_hosts.end(), flags.allowed_hosts.begin(), flags.allowed_hosts.end()
    );
    options.log_level = level_of(configuration.log_level);
    options.notify_url_file = configuration.notify_url_file;
    options.notify_secret_file = configuration.notify_secret_file;
    return options;
}

} // namespace interlock::desk
