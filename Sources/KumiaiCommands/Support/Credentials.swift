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
}

/// `--config` of operators' and auditors' commands.
struct OperatorOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: OperatorFile.help, completion: .file(extensions: ["toml"]))
    var config = OperatorFile.defaultPath

    /// The option that a printed command needs to find the same configuration; begins with a space.
    var shellOption: String { config == OperatorFile.defaultPath ? "" : " --config \(config.shellQuoted)" }

    func dialer() throws -> Dialer { try OperatorFile.naming(config) { try checkedDialer() } }

    private func checkedDialer() throws -> Dialer {
        let file = try TOMLFile<OperatorFile>(config)
        let endpoint = try Endpoint(file.content.coordinator, key: "coordinator")
        let identity = file.content.identity
        let certificate = file.resolve(identity.certificate)
        let chain = try IdentityFile.certificates(certificate)
        if let notice = chain[0].term.notice(at: systemTime()) {
            Terminal.printNotice("your certificate \(notice): kumiai pki renew")
        }
        let roots = try IdentityFile.roots(file.resolve(identity.ca), revocations: identity.revocations(of: file))
        // A certificate that has expired, or is of another CA, is found here. If a clock is wrong, the coordinator says
        // whose.
        do { _ = try roots.verify(chain, in: certificate, at: systemTime()) } catch let error as IdentityError {
            let isEnded = chain[0].term.standing(at: systemTime()) == .ended
            if isEnded || error.code == .notTrusted { throw error }
        }
        let keyPath = file.resolve(identity.key), key = try IdentityFile.key(keyPath)
        guard try chain[0].matches(key) else {
            throw UsageError(
                "\(keyPath) is not the key of \(certificate), both in [identity] of \(file.path)",
                hint: "use a key and a certificate that belong together; kumiai pki renew keeps the key"
            )
        }
        let context = try TLSContext(.client, chain: chain, key: key, roots: roots)
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
