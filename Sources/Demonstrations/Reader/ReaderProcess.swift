import CHDF5
import Glibc

/// The process in which libhdf5 runs.
public enum ReaderProcess {
    /// Makes the system end this process when the process `parent`, which started it, ends. False where that has ended
    /// already, or where the system refuses: then nobody needs what would be read.
    public static func endWithParent(_ parent: Int32) -> Bool {
        // In this order: a parent that ends after the question is noticed by the system, and before it by the question.
        kumiai_end_with_parent() == 0 && getppid() == parent
    }
}
