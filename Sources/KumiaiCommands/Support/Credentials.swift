import ArgumentParser
import Coordinator
import Federation
import Identity
import NIOPosix
import Transport
import Wire

/// Certificates and keys from files.
enum Credentials {
    static func read(_ path: String) throws -> [UInt8] {
        do { return try IdentityFile.read(path) } catch {
            throw UsageError(
                "cannot read \(path)",
                hint: "check that the path is right, that it is a regular file, and that you may read it"
            )
        }
    }

    static func principal(ofCertificate path: String) throws -> Principal {
        try Certificate(pem: read(path)).principal()
    }
}

/// `--config` of operators' and auditors' commands.
struct OperatorOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: OperatorFile.help, completion: .file(extensions: ["toml"]))
    var config = OperatorFile.defaultPath

    /// The option that a printed command needs to find the same configuration; begins with a space.
    var shellOption: String { config == OperatorFile.defaultPath ? "" : " --config \(config.shellQuoted)" }

    func dialer() throws -> Dialer {
        let file = try TOMLFile<OperatorFile>(config)
        let endpoint = try Endpoint(file.content.coordinator, key: "coordinator")
        let identity = file.content.identity
        let chain = try IdentityFile.certificates(file.resolve(identity.certificate))
        if let notice = chain[0].term.notice(at: systemTime()) {
            Terminal.note("your certificate \(notice): kumiai pki renew")
        }
        let roots = try IdentityFile.roots(file.resolve(identity.ca), revocations: identity.revocations(of: file))
        // If a clock is wrong, the coordinator says whose; an expired certificate is found here.
        if chain[0].term.standing(at: systemTime()) == .ended {
            _ = try roots.verify(chain, in: file.resolve(identity.certificate), at: systemTime())
        }
        let context = try TLSContext(
            .client,
            chain: chain,
            key: try IdentityFile.key(file.resolve(identity.key)),
            roots: roots
        )
        return Dialer(
            host: endpoint.host,
            port: endpoint.port,
            context: context,
            consortium: try chain[0].principal().consortium,
            group: MultiThreadedEventLoopGroup.singleton
        )
    }

    /// The file of the CA that the configuration trusts.
    var authority: String {
        get throws {
            let file = try TOMLFile<OperatorFile>(config)
            return file.resolve(file.content.identity.ca)
        }
    }

    /// Asks the coordinator that the configuration at `path` names.
    static func ask(_ message: ClientMessage, by path: String) async throws -> ServerMessage {
        var options = OperatorOptions()
        options.config = path
        return try await options.ask(message)
    }

    func ask(_ message: ClientMessage) async throws -> ServerMessage {
        try await dialer().ask(message, software: "kumiai 0.1.0")
    }

    func status() async throws -> StatusReport {
        guard case .status(let report) = try await ask(.getStatus) else {
            throw TransportError(.unexpected, "the coordinator's answer is not its status")
        }
        return report
    }
}
