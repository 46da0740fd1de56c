// What interlock-desk is told: flags, or a YAML file with the same names.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::desk {

struct Options {
    std::string state; // where the desk keeps its key and what it saw of the audit log
    std::string queue; // the queue's file; queue.db of `state`: see db::find_store()
    std::string address = "127.0.0.1";
    unsigned short port = 7421;
    std::string token_file; // made with a random token when absent
    std::string port_file;  // "" = none; else the port is written there once it listens
    std::vector<std::string> allowed_hosts; // Host headers besides loopback: a TLS proxy's name
    base::LogLevel log_level = base::LogLevel::info;
    std::string notify_url_file;    // a chat's incoming webhook; "" = nobody is told
    std::string notify_secret_file; // "" = what is told is not signed
};

/// The flags as given; "" = not given.
struct Flags {
    std::string config;
    std::string state;
    std::string listen;
    std::string token_file;
    std::string port_file;
    std::vector<std::string> allowed_hosts;
};
/// Reads the configuration, then lets flags win. invalid_input for anything that does not fit, such
/// as an address that is not loopback: the desk speaks no TLS.
base::Result<Options> make_options(const Flags& flags);

} // namespace interlock::desk
