import Coordinator
import Federation
import Identity
import Worker

/// The lines of a worker's status about its certificate and the clocks.
enum CertificateLines {
    /// If the worker does not run, its certificate may be the reason: then the certificate file itself is read.
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
