"""Kinds of file that hold a table, beside CSV: Parquet and Excel's workbooks; walks of folders."""
