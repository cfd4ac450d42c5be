import ArgumentParser
import Audit
import Blobs
import Coordinator
import Identity
import Learning
import Ledger
import Releases
import Tensors
import Transport
import Wire
import Worker

/// A verb. `execute` does the work; errors become text here and nowhere else.
protocol Command: AsyncParsableCommand {
    mutating func execute() async throws
}

extension Command {
    mutating func run() async throws {
        do {
            try await execute()
        } catch let exit as ExitCode {
            throw exit
        } catch {
            let failure = Failure(error)
            Terminal.error(failure.message, hint: failure.hint)
            throw failure.code
        }
    }
}

/// An error as the person at the terminal reads it.
struct Failure {
    let message: String
    var hint = ""
    var code = ExitStatus.failed

    init(_ error: any Error) {
        switch error {
        case let error as UsageError: (message, hint, code) = (error.message, error.hint, ExitStatus.configuration)
        case let error as Refusal: (message, hint, code) = ("the coordinator refused: \(error.message)", error.hint, ExitStatus.refused)
        case let error as TransportError where error.code == .unreachable:
            (message, hint, code) = (error.message, "is the coordinator running, and is the address right?", ExitStatus.unreachable)
        case let error as IdentityError:
            message = error.description
            hint = Self.hint(error)
            code = error.code == .handshake ? ExitStatus.refused : ExitStatus.failed
        case let error as CoordinatorError: (message, hint) = (error.message, error.hint)
        case let error as WorkerError: (message, hint) = (error.message, error.hint)
        case let error as AuditError: (message, hint) = (error.message, error.hint)
        case let error as LearningError: (message, hint) = (error.message, error.hint)
        case let error as PEFTError: (message, hint) = (error.message, error.hint)
        case let error as InputFileError: (message, hint) = (error.message, error.hint)
        case let error as NotFiniteError: (message, hint) = (error.message, error.hint)
        default: message = describe(error)
        }
    }

    private static func hint(_ error: IdentityError) -> String {
        switch error.code {
        case .expired: "issue a new certificate: kumiai pki issue"
        case .notTrusted: "was the certificate issued by the CA of this consortium? kumiai pki show names its issuer"
        case .handshake where error.detail.contains("alert"): "the other side said no: its log names the reason; kumiai pki show prints your certificate"
        case .wrongIdentity: "kumiai pki show prints whom a certificate speaks for"
        default: ""
        }
    }
}

/// Something in a configuration or on the command line that the user can mend.
struct UsageError: Error {
    let message: String
    let hint: String
    init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
}
