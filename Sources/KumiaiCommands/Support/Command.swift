import Contracts
import ArgumentParser
import Audit
import Blobs
import Coordinator
import Federation
import Identity
import Ledger
import NIOCore
import NIOPosix
import Releases
import Tensors
import Transport
import Wire
import Worker

/// A command. `execute` does the work; errors become text here and nowhere else.
protocol Command: AsyncParsableCommand {
    mutating func execute() async throws
}

extension Command {
    mutating func run() async throws {
        do {
            try await execute()
        } catch let exit as ExitCode {
            throw exit
        } catch  where Task.isCancelled && StandardStream.output.failure != nil {
            // It was cancelled because its output cannot be written; this is reported when the program ends.
            throw ExitCode.success
        } catch {
            let failure = Failure(error)
            failure.report()
            throw failure.code
        }
    }
}

/// An error as it is shown on the terminal or printed as JSON.
struct Failure {
    let message: String
    var hint = ""
    var code = ExitStatus.failed

    init(_ error: any Error) {
        switch error {
        case let error as UsageError: (message, hint, code) = (error.message, error.hint, error.code)
        case let error as Refusal:
            // The hint is marked as the coordinator's, so that the user does not run a command from it unchecked.
            let hint = error.hint.isEmpty ? "" : "the coordinator says: \(error.hint)"
            (message, self.hint, code) = ("the coordinator refused: \(error.message)", hint, ExitStatus.refused)
        case let error as TransportError: (message, hint, code) = (error.message, Self.hint(error), Self.code(error))
        case is NIOConnectionError, is IOError, is ChannelError:
            (message, hint, code) = (
                "the connection to the coordinator broke: \(describe(error))", Self.tryAgain, ExitStatus.unreachable
            )
        case let error as IdentityError:
            message = error.description
            hint = error.hint.isEmpty ? Self.hint(error) : error.hint
            code = Self.code(error)
        case let error as CoordinatorError:
            (message, hint, code) = (error.message, error.hint, Self.code(about: error.file))
        case let error as WorkerError: (message, hint, code) = (error.message, error.hint, Self.code(about: error.file))
        case let error as NamedFileError:
            let cause = Failure(error.cause)
            (message, hint, code) = ("\(cause.message) (\(error.place))", cause.hint, cause.code)
        case let error as AuditError: (message, hint, code) = (error.message, error.hint, Self.code(error))
        case let error as ContractError: (message, hint) = (error.message, error.hint)
        case let error as PEFTError: (message, hint) = (error.message, error.hint)
        case let error as LedgerViolation: message = "a ledger entry \(error.message)"
        case let error as ValidationError: (message, code) = (error.message, ExitCode.validationFailure)
        case let error as InputFileError:
            (message, hint, code) = (
                error.message, error.hint, error.isAbsent ? ExitStatus.configuration : ExitStatus.failed
            )
        case let error as LedgerError:
            (message, code) = (
                error.message,
                [.tampered, .badSignature].contains(error.code) ? ExitStatus.tampered : ExitStatus.failed
            )
        case let error as NotFiniteError: (message, hint) = (error.message, error.hint)
        default: message = describe(error)
        }
    }

    /// Prints the error on standard error and, with --json, as an object on standard output.
    func report() {
        Terminal.error(message, hint: hint)
        if JSONOption.isRequested { try? ErrorOutput(code, message, hint: hint).printJSON() }
    }

    private static let tryAgain = "check that the coordinator is running, and try again"

    private static func hint(_ error: TransportError) -> String {
        guard error.hint.isEmpty else { return error.hint }
        return switch error.code {
        case .unreachable: "check that the coordinator is running and that the address is right"
        case .closed, .timeout: tryAgain
        case .frameTooLarge, .unexpected: "check that the peer is a coordinator of a version that this program supports"
        case .cannotListen: ""
        }
    }

    /// A connection that broke or is not answered counts as unreachable.
    private static func code(_ error: TransportError) -> ExitCode {
        switch error.code {
        case .unreachable, .closed, .timeout: ExitStatus.unreachable
        case .frameTooLarge, .unexpected, .cannotListen: ExitStatus.failed
        }
    }

    /// `file`: what the configuration names and is wrong; `nil` if the configuration is right.
    private static func code(about file: String?) -> ExitCode {
        file == nil ? ExitStatus.failed : ExitStatus.configuration
    }

    private static func code(_ error: AuditError) -> ExitCode {
        switch error.code {
        case .failed: ExitStatus.failed
        case .tampered: ExitStatus.tampered
        case .otherAuthority, .wrongOption: ExitStatus.configuration
        }
    }

    /// A certificate from a file is part of the configuration; one that the peer has sent is not.
    private static func code(_ error: IdentityError) -> ExitCode {
        switch error.code {
        case .handshake: error.isOfNoTLS ? ExitStatus.unreachable : ExitStatus.refused
        case .unreadable, .exposed, .exists, .wrongIdentity, .malformed: ExitStatus.configuration
        case .expired, .notYetValid, .revoked, .authorityEnded, .revocationList, .notTrusted:
            error.file == nil ? ExitStatus.unreachable : ExitStatus.configuration
        default: ExitStatus.failed
        }
    }

    private static func hint(_ error: IdentityError) -> String {
        switch error.code {
        case .expired: "renew the certificate: kumiai pki renew"
        case .notTrusted: "check that the consortium's CA issued the certificate: kumiai pki show prints its issuer"
        case .handshake where error.isOfNoTLS:
            "the peer does not speak TLS: check the coordinator's address and port"
        case .handshake where error.detail.contains("alert"):
            "the peer refused this certificate: its log has the reason; kumiai pki show prints your certificate"
        case .wrongIdentity:
            """
            expected coordinator/NAME, operator/NAME, auditor/NAME or member/M/site/S, and a consortium's name such as \
            robots.example
            """
        default: ""
        }
    }
}

/// An error in a configuration or on the command line, which the user can correct.
struct UsageError: Error {
    let message: String
    let hint: String
    let code: ExitCode
    init(_ message: String, code: ExitCode = ExitStatus.configuration, hint: String = "") {
        self.message = message
        self.hint = hint
        self.code = code
    }
}

extension IdentityError {
    /// The peer's answer to the handshake is not TLS.
    fileprivate var isOfNoTLS: Bool {
        code == .handshake
            && ["wrong version number", "packet length too long", "unexpected message", "record layer failure"].contains
            { detail.contains($0) }
    }
}
