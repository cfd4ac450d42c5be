import Coordinator
import Federation
import Identity
import Worker

/// What a worker's status says of its certificate and of the clocks.
enum CertificateLines {
    /// A worker that does not run may not have started because of its certificate: then the file itself is looked at.
    static func of(_ status: WorkerStatus, certificate: String?) -> [String] {
        var notice = status.certificateNotice
        var end = status.certificateEndMilliseconds.map(Timestamp.init(milliseconds:))
        if status.liveness != .running, let certificate, let term = try? IdentityFile.certificates(certificate)[0].term
        {
            notice = term.notice(at: systemTime()).map { "this site's certificate \($0)" }
            end = term.notAfter
        }
        var lines: [String] = []
        if let notice {
            lines.append("certificate: \(notice)")
        } else if let end {
            lines.append("certificate: until \(Format.time(end))")
        }
        if let clocks = status.clockNotice { lines.append("clocks:   \(clocks)") }
        return lines
    }
}
