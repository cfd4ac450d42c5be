import CHDF5
import Glibc

/// The process in which libhdf5 runs.
package enum ReaderProcess {
    /// Makes the system end this process when its parent process ends.
    ///
    /// - Parameter parent: The process that started this one.
    /// - Returns: `false` if the parent has already ended, or if the system refuses. Then this process should exit.
    package static func endWithParent(_ parent: Int32) -> Bool {
        // The order matters: after the request, the system handles the end of the parent; the comparison detects an
        // earlier end.
        kumiai_end_with_parent() == 0 && getppid() == parent
    }
}
